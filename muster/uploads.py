"""The upload record: what the gateway accepts, the loader works on and everybody reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal


class State(StrEnum):
    """The states of an upload, in the order it goes through them."""

    QUEUED = "queued"
    VALIDATING = "validating"
    LOADING = "loading"
    COMPLETED = "completed"
    COMPLETED_WITH_REJECTS = "completed_with_rejects"
    VALIDATED = "validated"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the upload stays in this state for ever."""
        return self not in UNFINISHED


MOST_WARNINGS = 20
"""How many warnings an upload keeps; it counts all."""

DateOrder = Literal["iso", "dmy", "mdy"]
"""In which order day and month stand where the year comes last; with `iso` the year comes first."""

UNFINISHED = frozenset({State.QUEUED, State.VALIDATING, State.LOADING})


@dataclass(frozen=True)
class Options:
    """How to read and load the file, as the uploader chose it."""

    mode: Literal["upsert", "insert"] = "upsert"
    max_rejects: int | None = None
    dry_run: bool = False
    header: Literal["auto", "present", "absent"] = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    columns: str = ""
    dates: DateOrder = "iso"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Options":
        """The options in an upload's document; one that this version doesn't know is passed over.

        An option that is missing has its default.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})


@dataclass(frozen=True)
class RowCounts:
    """Records of a file by what became of them; `read` is the sum of all the others."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    unprocessed: int = 0


@dataclass(frozen=True)
class Cause:
    """A reason for rejects: `rows` of them, the first on physical line `first_line`."""

    code: str
    column: str | None
    rows: int
    first_line: int
    message: str


@dataclass(frozen=True)
class UploadWarning:
    """What an uploader should know though it rejects nothing; `line` is a physical line, from 1."""

    code: str
    line: int
    message: str


@dataclass(frozen=True)
class Failure:
    """Why an upload failed, or, while it is not final, what its loader waits for."""

    code: str
    detail: str


class EmailState(StrEnum):
    """What can become of the email about an upload."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Email:
    """What became of the email about an upload, and since when; why, where it was not sent.

    It waits to be tried again, or was handed over, or was refused for good, or was tried for so
    long that its message is a dead letter.
    """

    state: EmailState
    at: datetime
    reason: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is not to be tried again, even when its message is replayed."""
        return self.state in {EmailState.SENT, EmailState.REFUSED}


@dataclass(frozen=True)
class Upload:
    """One accepted upload. Times are UTC with their zone.

    `sequence` is the order of acceptance, given by the store. `published` and `announced` are the
    outbox: whether `upload.accepted` and `upload.finished` are known to be with the broker.
    `version` grows with every change. `previous` is the upload whose rejected rows this one mends.
    `stopped_attempt` is one that was ended on request and may still be counted.
    """

    id: str
    table: str
    filename: str
    size: int
    sha256: str
    owner: str
    submitted_by: str
    submitted_at: datetime
    request_id: str
    traceparent: str
    options: Options = field(default_factory=Options)
    idempotency_key: str | None = None
    fingerprint: str | None = None
    state: State = State.QUEUED
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: float = 0.0
    rows: RowCounts = field(default_factory=RowCounts)
    causes: tuple[Cause, ...] = ()
    error: Failure | None = None
    warnings: tuple[UploadWarning, ...] = ()
    warnings_total: int = 0
    cancel_requested: bool = False
    published: bool = False
    announced: bool = False
    email: Email | None = None
    previous: str | None = None
    stopped_attempt: str | None = None
    sequence: int = 0
    version: int = 0

    @property
    def rejects_name(self) -> str:
        """The name under which the store keeps this upload's rejected rows."""
        return f"{self.id}{_REJECTS}"

    def as_accepted(self) -> "Upload":
        """The upload as it stood when it was accepted."""
        return replace(
            self,
            state=State.QUEUED,
            started_at=None,
            finished_at=None,
            progress=0.0,
            rows=RowCounts(),
            causes=(),
            error=None,
            warnings=(),
            warnings_total=0,
            cancel_requested=False,
            email=None,
        )

    def to_document(self) -> dict[str, Any]:
        """All fields as JSON takes them, for a store to keep."""
        return to_fields({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Upload":
        """The upload that `to_document` wrote, of this version or another.

        A field that is missing has its default and an unknown one is passed over, so that versions
        can run side by side.
        """
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        for name in _TIMES:
            if values[name] is not None:
                values[name] = datetime.fromisoformat(values[name])
        values["state"] = State(values["state"])
        values["options"] = Options.from_document(values["options"])
        values["rows"] = RowCounts(**values["rows"])
        values["causes"] = tuple(Cause(**cause) for cause in values["causes"])
        values["error"] = None if values["error"] is None else Failure(**values["error"])
        values["warnings"] = tuple(
            UploadWarning(**warning) for warning in document.get("warnings", ())
        )
        values["email"] = _email_of(document)
        return cls(**values)


def to_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an upload's fields as they stand in its document."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _email_of(document: dict[str, Any]) -> Email | None:
    email = document.get("email")
    if email is not None:
        at = datetime.fromisoformat(email["at"])
        return Email(EmailState(email["state"]), at, email["reason"])
    notified_at = document.get("notified_at")  # what records had before there was `email`
    if notified_at is None:
        return None
    return Email(EmailState.SENT, datetime.fromisoformat(notified_at))


def upload_of_file(name: str) -> str:
    """The id of the upload whose file or rejects the store keeps under `name`."""
    return name.removesuffix(_REJECTS)


_REJECTS = ".rejects"
_TIMES = ("submitted_at", "started_at", "finished_at")


def now() -> datetime:
    """The present time in UTC."""
    return datetime.now(UTC)
