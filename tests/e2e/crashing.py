"""Where the sweep kills which process, and by which uploads it brings it there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from tests.faults.ports import ANSWER
from tests.faults.process import MODULES

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stop:
    """A call at which a process is to die: the so-manieth of that name."""

    process: str
    call: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.process}: {self.call}@{self.number}"


class CrashPoints:
    """The directory in which stops are armed, each for one death; and how many died where."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.deaths: Counter[Stop] = Counter()
        for process in MODULES:
            (directory / process / "armed").mkdir(parents=True)

    def environment(self) -> dict[str, str]:
        """Has the suite's processes look here, and start again at once when they died."""
        return {
            "FAULTS_DIRECTORY": str(self._directory),
            "PYTHONPATH": f"{ROOT / 'tests/faults/site'}:{ROOT}",
            "MUSTER_RESTART_SECONDS": "0.1",
        }

    def arm(self, stop: Stop) -> None:
        """The process is to die when it comes to the call next."""
        self.deaths[stop] += 1
        self._file(stop).touch(exist_ok=False)

    def disarm(self, stop: Stop) -> None:
        """Nobody is to die there, unless it has happened."""
        with suppress(FileNotFoundError):
            self._file(stop).unlink()
            self.deaths[stop] -= 1

    def is_armed(self, stop: Stop) -> bool:
        """Whether nobody died there since it was armed."""
        return self._file(stop).exists()

    def listen(self, process: str) -> None:
        """Note the calls of the process from now on."""
        self._calls(process).write_text("", "utf-8")

    def heard(self, process: str) -> list[str]:
        """The calls since then of the process that lives now, in their order; then no more."""
        lines = [line.split("\t") for line in self._calls(process).read_text("utf-8").splitlines()]
        self._calls(process).unlink()
        return [call for pid, call in lines if pid == lines[-1][0]]

    def _calls(self, process: str) -> Path:
        return self._directory / process / "calls"

    def _file(self, stop: Stop) -> Path:
        return self._directory / stop.process / "armed" / f"{stop.call}@{stop.number}"


class Kind(Enum):
    """Uploads that come by different calls."""

    ANY = auto()
    LARGE = auto()  # more than one chunk of GridFS
    LOADED = auto()
    NOT_LOADED = auto()  # a dry run, or one with too many rejects
    CANCELLED = auto()
    MAIL_PUT_OFF = auto()


@dataclass(frozen=True)
class Scenario:
    """What a process does for an upload of the kind, after others died at the stops `before`."""

    process: str
    kind: Kind = Kind.ANY
    before: tuple[Stop, ...] = ()

    def visits(self, calls: Sequence[str], idle: Sequence[str]) -> list["Visit"]:
        """One for each of the calls; one for each name of those that are made all the time."""
        counts, once = Counter(calls), {*idle, *_POLLED}
        return [
            Visit((*self.before, Stop(self.process, name, number)), self.kind)
            for name, count in counts.items()
            for number in range(1, 2 if name in once else count + 1)
        ]


@dataclass(frozen=True)
class Visit:
    """Stops that one upload of the kind comes by."""

    stops: tuple[Stop, ...]
    kind: Kind = Kind.ANY

    @property
    def process(self) -> str:
        """The process that the visit is about."""
        return self.stops[-1].process


# The sweep itself asks the gateway how uploads are, as often as there is time for.
_POLLED = ("uploads.get", "uploads.get" + ANSWER)

LEFT_TO_RELAY = Stop("gateway", "uploads.accept" + ANSWER)
LEFT_IN_QUEUE = Stop("dbuploader-consumer", "broker.delivery")

_EVERYWHERE = [
    Scenario("gateway"),
    Scenario("gateway", Kind.LARGE),
    Scenario("gateway-relay", Kind.ANY, (LEFT_TO_RELAY,)),
    Scenario("dbuploader-consumer", Kind.LOADED),
    Scenario("dbuploader-consumer", Kind.NOT_LOADED),
    Scenario("dbuploader-consumer", Kind.CANCELLED, (LEFT_IN_QUEUE,)),
    Scenario("notification-consumer"),
]
SCENARIOS: Mapping[str, list[Scenario]] = {
    "embedded": _EVERYWHERE,
    "servers": [*_EVERYWHERE, Scenario("notification-consumer", Kind.MAIL_PUT_OFF)],
}
"""All scenarios, by the family of backends."""

DELICATE = [
    Visit((Stop("dbuploader-consumer", "database.commit" + ANSWER, 2),), Kind.LOADED),
    Visit((Stop("notification-consumer", "mail.send" + ANSWER),)),
]
"""Between what is done and where it is written down: a mistake here would do it twice."""
