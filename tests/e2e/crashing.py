"""Where the sweep kills which process, and by which uploads it brings it there."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from muster.crashpoints import Point

_MODULES: Mapping[str, str] = {
    "gateway": "gunicorn.__main__",
    "gateway-relay": "gateway.relay",
    "dbuploader-consumer": "dbuploader.consumer",
    "notification-consumer": "notification.consumer",
}


@dataclass(frozen=True)
class Stop:
    """A point and the process that is to die there."""

    process: str
    point: Point

    def __str__(self) -> str:
        return f"{self.process}: {self.point}"


class CrashPoints:
    """The directory in which stops are armed, each for one death; and how many died where."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.deaths: Counter[Stop] = Counter()
        for module in _MODULES.values():
            (directory / module).mkdir(parents=True)

    def environment(self) -> dict[str, str]:
        """Has the suite's processes look here, and start again at once when they died."""
        return {"MUSTER_CRASH_POINTS": str(self._directory), "MUSTER_RESTART_SECONDS": "0.1"}

    def arm(self, stop: Stop) -> None:
        """The process is to die when it comes to the point next."""
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

    def _file(self, stop: Stop) -> Path:
        return self._directory / _MODULES[stop.process] / stop.point


class Kind(Enum):
    """Uploads that come by different points."""

    ANY = auto()
    LARGE = auto()  # more than one chunk of GridFS
    LOADED = auto()
    NOT_LOADED = auto()  # a dry run, or one with too many rejects
    CANCELLED = auto()
    MAIL_PUT_OFF = auto()


@dataclass(frozen=True)
class Visit:
    """Stops that one upload of the kind comes by."""

    stops: tuple[Stop, ...]
    kind: Kind = Kind.ANY

    @property
    def process(self) -> str:
        """The process that the visit is about."""
        return self.stops[-1].process


def _visits(process: str, kind: Kind, *points: Point) -> list[Visit]:
    return [Visit((Stop(process, point),), kind) for point in points]


def _after(first: Stop, process: str, kind: Kind, *points: Point) -> list[Visit]:
    return [Visit((first, Stop(process, point)), kind) for point in points]


_LEFT_TO_RELAY = Stop("gateway", Point.ACCEPT_RECORD_STORED)
_LEFT_IN_QUEUE = Stop("dbuploader-consumer", Point.LOAD_MESSAGE_TAKEN)

_EVERYWHERE: list[Visit] = [
    # What dies before there is a record may be sent again only 30 seconds later: so these go first.
    *_visits("gateway", Kind.ANY, Point.ACCEPT_KEY_CLAIMED, Point.ACCEPT_FILE_STORED),
    *_visits("gateway", Kind.LARGE, Point.ACCEPT_FILE_WRITTEN),
    *_visits(
        "gateway",
        Kind.ANY,
        Point.OUTBOX_MESSAGE_QUEUED,
        Point.OUTBOX_RECORD_MARKED,
        Point.ACCEPT_KEY_RELEASED,
    ),
    *_after(
        _LEFT_TO_RELAY,
        "gateway-relay",
        Kind.ANY,
        Point.RELAY_UPLOAD_FOUND,
        Point.OUTBOX_MESSAGE_QUEUED,
        Point.OUTBOX_RECORD_MARKED,
    ),
    *_visits(
        "dbuploader-consumer",
        Kind.LOADED,
        Point.LOAD_ATTEMPT_COUNTED,
        Point.LOAD_VALIDATING,
        Point.LOAD_LOADING,
        Point.LOAD_ROWS_WRITTEN,
        Point.LOAD_REJECTS_STORED,
        Point.LOAD_LEDGER_INSERTED,
        Point.LOAD_COMMITTED,
        Point.LOAD_RECORD_FINAL,
        Point.LOAD_RESULT_QUEUED,
        Point.LOAD_ACK_DUE,
    ),
    *_visits("dbuploader-consumer", Kind.NOT_LOADED, Point.LOAD_REJECTS_STORED, Point.LOAD_DECIDED),
    *_after(
        _LEFT_IN_QUEUE,
        "dbuploader-consumer",
        Kind.CANCELLED,
        Point.CANCEL_RECORD_FINAL,
        Point.CANCEL_RESULT_QUEUED,
    ),
    *_visits(
        "notification-consumer",
        Kind.ANY,
        Point.NOTIFY_MESSAGE_TAKEN,
        Point.NOTIFY_MAIL_SENT,
        Point.NOTIFY_EMAIL_RECORDED,
    ),
]
_SQLITE = [
    *_visits("dbuploader-consumer", Kind.ANY, Point.SQLITE_MESSAGE_SETTLED),
    *_visits("notification-consumer", Kind.ANY, Point.SQLITE_MESSAGE_SETTLED),
]
_SERVERS = [
    *_visits("dbuploader-consumer", Kind.ANY, Point.RABBITMQ_MESSAGE_SETTLED),
    *_visits("notification-consumer", Kind.ANY, Point.RABBITMQ_MESSAGE_SETTLED),
    *_visits(
        "notification-consumer",
        Kind.MAIL_PUT_OFF,
        Point.NOTIFY_EMAIL_RECORDED,
        Point.RABBITMQ_MESSAGE_MOVED,
    ),
]
VISITS: Mapping[str, list[Visit]] = {
    "embedded": [*_EVERYWHERE, *_SQLITE],
    "servers": [*_EVERYWHERE, *_SERVERS],
}
"""All visits, by the family of backends."""
