"""Where the sweep kills which process, and by which uploads it brings it there."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
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
        self._known: dict[str, set[str]] = {process: set() for process in MODULES}
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
        self._known[process] |= {call for _, call in self._lines(process)}
        self._calls(process).write_text("", "utf-8")

    def is_settled(self, process: str) -> bool:
        """Whether a consumer that is listened to was given a message, and is done with it."""
        calls = [call for _, call in self._lines(process)]
        done = calls.index("broker.verdict") if "broker.verdict" in calls else len(calls)
        return "broker.settled" in calls[done:]

    def heard(self, process: str) -> list[str]:
        """The calls since then of the process that lives now, in their order."""
        lines = self._lines(process)
        return [call for pid, call in lines if pid == lines[-1][0]]

    def known(self, process: str) -> set[str]:
        """All calls of the process since it was first listened to."""
        return self._known[process] | {call for _, call in self._lines(process)}

    def _lines(self, process: str) -> list[tuple[str, str]]:
        with suppress(FileNotFoundError):
            # The last may still be written.
            whole, _, _ = self._calls(process).read_text("utf-8").rpartition("\n")
            lines = (line.partition("\t") for line in whole.splitlines())
            return [(pid, call) for pid, _, call in lines]
        return []

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
    UNDO = auto()  # of an upload like LOADED, or of such an undo
    UNDO_LARGE = auto()  # of one like LARGE


@dataclass(frozen=True)
class Scenario:
    """What a process does for an upload of the kind, after others died at the stops `before`."""

    process: str
    kind: Kind = Kind.ANY
    before: tuple[Stop, ...] = ()

    def visits(
        self, calls: Sequence[str], idle: Sequence[str], armed: Collection[Stop] = ()
    ) -> list["Visit"]:
        """One for the first of the calls, and one wherever something has changed outside since.

        Of calls that are made all the time, only the first of each name is visited. None is for a
        stop that is `armed` by others, who visit it, too.
        """
        counts, once, is_new = Counter[str](), {*idle, *_POLLED}, True
        visits = []
        for call, changes in zip(calls, _changes(calls), strict=True):
            counts[call] += 1
            stop = Stop(self.process, call, counts[call])
            is_repeated = call in once and stop.number > 1
            # Another thread may have called something between a change and its answer.
            is_new = is_new or (is_change(call.removesuffix(ANSWER)) and call.endswith(ANSWER))
            if is_new and not is_repeated and stop not in armed:
                visits.append(Visit((*self.before, stop), self.kind))
                is_new = False
            is_new = is_new or changes
        return visits


def is_change(call: str) -> bool:
    """Whether something outside may differ after the call."""
    return not call.endswith(ANSWER) and call not in LOOKS


def changes_of(points: CrashPoints, process: str) -> set[str]:
    """The calls of the process that change something, by their answers."""
    answers = (call for call in points.known(process) if call.endswith(ANSWER))
    changes = {call for call in answers if is_change(call.removesuffix(ANSWER))}
    if changes & {f"broker.publish{ANSWER}", f"broker.publish_each{ANSWER}"}:
        # What the adapter does for those calls; by itself it is a message that is moved.
        changes.discard(f"publisher.publish{ANSWER}")
    return changes


def _changes(calls: Sequence[str]) -> Iterator[bool]:
    """Whether each call changes something outside; a statement does if it is one of a write."""
    reads = False
    for call in calls:
        is_statement = call == "database.statement"
        if call.startswith("database."):
            reads = call == "database.read" or (reads and is_statement)
        yield is_change(call) and not (reads and is_statement)


@dataclass(frozen=True)
class Visit:
    """Stops that one upload of the kind comes by."""

    stops: tuple[Stop, ...]
    kind: Kind = Kind.ANY

    @property
    def process(self) -> str:
        """The process that the visit is about."""
        return self.stops[-1].process


LOOKS = frozenset(
    (
        *("uploads.get", "uploads.find", "uploads.find_by_key", "uploads.find_corrections"),
        *("uploads.unfinished", "uploads.cancelling", "uploads.unpublished", "uploads.backlog"),
        *("uploads.oldest_unpublished", "uploads.unnamed", "uploads.wait_for_change"),
        *("uploads.set_aside", "uploads.count_set_aside", "uploads.check", "uploads.contents"),
        *("uploads.queued", "uploads.bytes_of_day", "uploads.find_undoing"),
        *("uploads.following", "uploads.expiring", "uploads.erased_by"),
        *("files.open", "files.size", "files.names", "files.check"),
        *("broker.delivery", "broker.depth", "broker.dead_letters", "broker.check"),
        *("database.read", "database.write", "database.part", "database.analyze"),
        *("database.sizes", "database.check", "mail.check"),
    )
)
"""Calls that change nothing outside: a death after one is a death before it."""

# The sweep itself asks the gateway how uploads are, as often as there is time for.
_POLLED = ("uploads.get", "uploads.get" + ANSWER)

LEFT_TO_RELAY = Stop("gateway", "uploads.accept" + ANSWER)
LEFT_IN_QUEUE = Stop("dbuploader-consumer", "broker.delivery")
CONSUMERS = ("dbuploader-consumer", "notification-consumer")

_EVERYWHERE = [
    Scenario("gateway"),
    Scenario("gateway", Kind.LARGE),
    Scenario("gateway-relay", Kind.ANY, (LEFT_TO_RELAY,)),
    Scenario("dbuploader-consumer", Kind.LOADED),
    Scenario("dbuploader-consumer", Kind.LARGE),
    Scenario("dbuploader-consumer", Kind.NOT_LOADED),
    Scenario("dbuploader-consumer", Kind.CANCELLED, (LEFT_IN_QUEUE,)),
    Scenario("notification-consumer"),
]
SCENARIOS: Mapping[str, list[Scenario]] = {
    "embedded": _EVERYWHERE,
    "servers": [*_EVERYWHERE, Scenario("notification-consumer", Kind.MAIL_PUT_OFF)],
}
"""All scenarios, by the family of backends."""

OF_UNDOS = [
    Scenario("gateway", Kind.UNDO),
    Scenario("gateway-relay", Kind.UNDO, (LEFT_TO_RELAY,)),
    Scenario("dbuploader-consumer", Kind.UNDO),
    Scenario("dbuploader-consumer", Kind.UNDO_LARGE),
    Scenario("notification-consumer", Kind.UNDO),
]
"""What each process does for an undo. Whoever comes next to a stop of these must be one."""

DELICATE = [
    Visit((Stop("dbuploader-consumer", "database.commit" + ANSWER, 2),), Kind.LARGE),
    Visit((Stop("notification-consumer", "mail.send" + ANSWER),)),
    Visit((LEFT_TO_RELAY, Stop("gateway-relay", "broker.publish" + ANSWER))),
]
"""Between what is done and where it is written down: a mistake here would do it twice."""
