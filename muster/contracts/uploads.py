"""The upload record: what the gateway accepts, the loader works on and everybody reads."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from muster.contracts.strict_json import Unreadable, read_json


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no time in UTC") from error


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A time in UTC, with its zone."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole."""


class UnreadableRecord(Exception):
    """A record that this version can't read; `reason` is one line, fit to be shown.

    What else is known of it: `upload_id` and `owner`, if these can be read, and `sequence`.
    """

    def __init__(
        self,
        reason: str,
        *,
        upload_id: str | None = None,
        owner: str | None = None,
        sequence: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.upload_id = upload_id
        self.owner = owner
        self.sequence = sequence

    def __str__(self) -> str:
        return f"the record of upload {self.upload_id or '?'} can't be read: {self.reason}"


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

PREVIEW_BYTES = 256 * 1024
"""How much of a text a preview reads, from its beginning."""

DateOrder = Literal["iso", "dmy", "mdy"]
"""In which order day and month stand where the year comes last; with `iso` the year comes first."""

UNFINISHED = frozenset({State.QUEUED, State.VALIDATING, State.LOADING})

_NO_FILE = hashlib.sha256(b"").hexdigest()

Kind = Literal["upload", "undo", "erasure"]
"""What an upload does: load its file, take another's change back, or take a person's row out."""


@dataclass(frozen=True)
class Options:
    """How to read and load the file, as the uploader chose it.

    An undo has but `dry_run` and a mode of its own: `all` does nothing unless all can be undone.
    The expectations hold a load before it commits: the rows of the file, and how many may be
    inserted or updated, as a number or as a share of the rows read (`5%`). `sheet` is the one of a
    workbook.
    """

    mode: Literal["upsert", "insert", "possible", "all"] = "upsert"
    max_rejects: int | None = None
    dry_run: bool = False
    header: Literal["auto", "present", "absent"] = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    columns: str = ""
    dates: DateOrder = "iso"
    expect_rows: int | None = None
    max_inserted: str | None = None
    max_updated: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class UndoCounts:
    """Rows that the undone change wrote by what became of them; `written` is the sum of all others.

    `restored` have their former values again, `removed` are gone; `kept` were touched by a later
    change, and to `blocked` others refer, or what they referred to is gone.
    """

    written: int = 0
    restored: int = 0
    removed: int = 0
    kept: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class HiresImpact:
    """How a number in the answer to hires-by-quarter changes: that of a department and quarter."""

    year: int
    quarter: int
    department_id: int
    department: str
    before: int
    after: int


@dataclass(frozen=True)
class MeanImpact:
    """A department that comes above the mean of its year, or is above it no longer."""

    year: int
    department_id: int
    department: str
    above: bool


@dataclass(frozen=True)
class LaterHolder:
    """A later upload that held rows unchanged which an undo takes away: it was no change of them.

    `upload` is None where it is a batch's.
    """

    change: int | None
    upload: str | None
    rows: int


@dataclass(frozen=True)
class Impact:
    """What an upload changes in the answers to the questions: the largest first, the rest counted.

    `holders` are of an undo.
    """

    hires: tuple[HiresImpact, ...] = ()
    hires_total: int = 0
    departments: tuple[MeanImpact, ...] = ()
    departments_total: int = 0
    holders: tuple[LaterHolder, ...] = ()
    holders_total: int = 0


@dataclass(frozen=True)
class Source:
    """What the rows were read from within a workbook."""

    sheet: str


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
    column: str | None = None
    rows: int = 0
    first_line: int = 0
    message: str = ""


@dataclass(frozen=True)
class UploadWarning:
    """What an uploader should know though it rejects nothing.

    `line` is a physical line, from 1; 0 of what is about no line.
    """

    code: str
    line: int = 0
    message: str = ""


@dataclass(frozen=True)
class Failure:
    """Why an upload failed, or, while it is not final, what its loader waits for."""

    code: str
    detail: str = ""


class EmailState(StrEnum):
    """What can become of the email about an upload."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    UNWANTED = "unwanted"


@dataclass(frozen=True)
class Email:
    """What became of the email about an upload, and since when; why, where it was not sent.

    It waits to be tried again, or was handed over, or was refused for good, or was tried for so
    long that its message is a dead letter, or is none that its reader wants.
    """

    state: EmailState
    at: Moment
    reason: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is not to be tried again, even when its message is replayed."""
        return self.state in {EmailState.SENT, EmailState.REFUSED, EmailState.UNWANTED}


@dataclass(frozen=True)
class Digest:
    """The email that tells of several uploads: which of them leads it; in its record, which all."""

    leader: str
    uploads: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilesRemoved:
    """Why and since when the file and the rejects of an upload are no longer kept.

    They `expired`, or a row that they may have held was `erased`, by the upload `by`.
    """

    why: Literal["erased", "expired"]
    at: Moment
    by: str | None = None


@dataclass(frozen=True)
class Upload:
    """One accepted upload. Times are UTC with their zone.

    `sequence` is the order of acceptance, given by the store. `published` and `announced` are the
    outbox: whether `upload.accepted` and `upload.finished` are known to be with the broker.
    `version` grows with every change. `previous` is the upload whose rejected rows this one
    corrects. `stopped_attempt` was ended on request and may still be counted; if it is not known
    which of several is, it lists all, separated by spaces. `rejects` names the load whose rejected
    rows are the upload's, once it is final: another load may still be storing its own. The file of
    one that is `in_record` is kept with its record, as it is small. Neither file nor rejects are
    kept once `files_removed` says so.

    An undo `undoes` another upload, which is then `undone_by` it, and has `undone` in place of
    `rows`; it has no file. An erasure takes the row `erases` out of `table`. `loads` names the dry
    run whose file this one loads. `change` is the number of what it wrote in the journal of
    changes, `impact` what that changes in the answers. A file that `is_workbook` is no CSV; its
    rows came from `source`.
    """

    id: str
    table: str
    filename: str
    size: int
    sha256: str
    owner: str
    submitted_by: str
    submitted_at: Moment
    request_id: str
    traceparent: str
    options: Options = field(default_factory=Options)
    idempotency_key: str | None = None
    fingerprint: str | None = None
    state: State = State.QUEUED
    started_at: Moment | None = None
    finished_at: Moment | None = None
    progress: Share = 0.0
    rows: RowCounts = field(default_factory=RowCounts)
    causes: tuple[Cause, ...] = ()
    error: Failure | None = None
    warnings: tuple[UploadWarning, ...] = ()
    warnings_total: int = 0
    cancel_requested: bool = False
    published: bool = False
    announced: bool = False
    email: Email | None = None
    digest: Digest | None = None
    previous: str | None = None
    stopped_attempt: str | None = None
    rejects: str | None = None
    in_record: bool = False
    kind: Kind = "upload"
    undoes: str | None = None
    undone_by: str | None = None
    undone: UndoCounts | None = None
    erases: int | None = None
    loads: str | None = None
    change: int | None = None
    impact: Impact | None = None
    files_removed: FilesRemoved | None = None
    is_workbook: bool = False
    source: Source | None = None
    sequence: int = 0
    version: int = 0

    @classmethod
    def without_file(cls, kind: Kind, table: str, filename: str, **more: Any) -> "Upload":
        """A new one, submitted now, of a kind that has no file; `more` are its other fields."""
        return cls(
            id=uuid.uuid4().hex,
            table=table,
            filename=filename,
            size=0,
            sha256=_NO_FILE,
            submitted_at=now(),
            kind=kind,
            **more,
        )

    @property
    def tally(self) -> RowCounts | UndoCounts:
        """What became of its rows; of an undo, of the rows that the undone change wrote."""
        return (self.undone or UndoCounts()) if self.kind == "undo" else self.rows

    @property
    def has_rejects(self) -> bool:
        """Whether rows were stored that were rejected or, of an undo, kept or blocked.

        Of a file an earlier attempt may have stored some, in a version whose loads had no names.
        """
        return self.rejects is not None if self.kind == "undo" else bool(self.rows.rejected)

    @property
    def rejects_name(self) -> str:
        """The name under which the store keeps this upload's rejected rows."""
        return self.rejects_name_of(self.rejects)

    def rejects_name_of(self, load: str | None) -> str:
        """The name for the rejected rows that this load of the upload finds.

        Versions before this one had one name for all.
        """
        return _rejects_name(self.id, load)

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
            digest=None,
            rejects=None,
            undone_by=None,
            undone=None,
            change=None,
            impact=None,
            files_removed=None,
            source=None,
        )

    def to_document(self) -> dict[str, Any]:
        """All fields as JSON takes them, for a store to keep."""
        return to_fields({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Upload":
        """The upload whose document `to_document` made, in this version or another.

        A field that is missing has its default and an unknown one is passed over, also within
        other fields, so that versions can run side by side. Raises UnreadableRecord and nothing
        else, whatever `text` is.
        """
        try:
            upload = read_json(_RECORD, text)
            sent_at = upload.email is None and read_json(_BEFORE_EMAIL, text).notified_at
        except Unreadable as error:
            upload_id, owner = _identity_in(text)
            raise UnreadableRecord(str(error), upload_id=upload_id, owner=owner) from None
        return replace(upload, email=Email(EmailState.SENT, sent_at)) if sent_at else upload

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Upload":
        """As `from_json`, of a document that is not text yet."""
        try:
            text = json.dumps(document)
        except (TypeError, ValueError, RecursionError) as error:
            raise UnreadableRecord(type(error).__name__) from None
        return cls.from_json(text)


@dataclass(frozen=True)
class _BeforeEmail:
    """What records had before there was `email`."""

    notified_at: Moment | None = None


@dataclass(frozen=True)
class _Identity:
    id: str | None = None
    owner: str | None = None


_RECORD = TypeAdapter(Upload)
_BEFORE_EMAIL = TypeAdapter(_BeforeEmail)
_IDENTITY = TypeAdapter(_Identity)


def _identity_in(text: str | bytes) -> tuple[str | None, str | None]:
    try:
        identity = read_json(_IDENTITY, text)
    except Unreadable:
        return None, None
    return identity.id, identity.owner


@cache
def record_format() -> str:
    """A name for the format of records that this version reads.

    It changes with the fields and with what they may be, so that a version that knows more, or
    less, has another.
    """
    schema = json.dumps(_RECORD.json_schema(), sort_keys=True)
    return hashlib.sha256(schema.encode()).hexdigest()[:12]


def to_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an upload's fields as they stand in its document."""
    return {name: _plain(value) for name, value in values.items()}


# Most are of these, and the questions below take long.
_PLAIN = frozenset({str, int, float, bool})


def _plain(value: Any) -> Any:
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _names_of(value.__class__)}
    return value


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    # To ask a class for its fields takes longer than to read them.
    return tuple(field.name for field in fields(kind))


def is_named(file: str, records: Mapping[str, tuple[str | None, str | None]]) -> bool:
    """Whether one of the records may need the file: of each upload, its state and `rejects`.

    Rejects of a load that another was quicker than are nobody's, once the upload is final.
    """
    upload_id = upload_of_file(file)
    if upload_id not in records:
        return False
    state, rejects = records[upload_id]
    return state not in _FINAL or file in {upload_id, _rejects_name(upload_id, rejects)}


def upload_of_file(name: str) -> str:
    """The id of the upload whose file or rejects the store keeps under `name`."""
    return name.partition(".")[0] if name.endswith(_REJECTS) else name


def _rejects_name(upload_id: str, load: str | None) -> str:
    return f"{upload_id}{_REJECTS}" if load is None else f"{upload_id}.{load}{_REJECTS}"


# No set: what a store has for a state may be anything.
_FINAL = tuple(frozenset(State) - UNFINISHED)
_REJECTS = ".rejects"


def now() -> datetime:
    """The present time in UTC."""
    return datetime.now(UTC)
