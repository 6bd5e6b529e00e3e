"""The JSON of the API, as the OpenAPI document shows it: the upload first, then everything else.

Only the upload and its pages are made here. What other services answer is forwarded unread; those
models only describe it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from gateway.uploads.queue import MOST_PLACES, QueuePlace
from gateway.uploads.reject_file import MayName
from muster.contracts.uploads import (
    Cause,
    Email,
    Failure,
    Impact,
    Kind,
    Options,
    RowCounts,
    Source,
    State,
    UndoCounts,
    Upload,
    UploadWarning,
)
from muster.http.tokens import PERMISSIONS

_EXAMPLE: JsonDict = {
    "id": "5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b",
    "table": "hired_employees",
    "filename": "hired_employees.csv",
    "size": 92933,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "state": "completed_with_rejects",
    "submitted_by": "ana@example.com",
    "submitted_at": "2021-11-07T02:48:42.123456Z",
    "started_at": "2021-11-07T02:48:42.250000Z",
    "finished_at": "2021-11-07T02:48:43Z",
    "queue": None,
    "options": {
        "mode": "upsert",
        "max_rejects": None,
        "dry_run": False,
        "header": "auto",
        "delimiter": "auto",
        "encoding": "auto",
        "columns": "",
        "dates": "iso",
        "expect_rows": None,
        "max_inserted": None,
        "max_updated": "5%",
        "sheet": None,
    },
    "progress": 1.0,
    "rows": {
        "read": 1999,
        "inserted": 1929,
        "updated": 0,
        "unchanged": 0,
        "rejected": 70,
        "unprocessed": 0,
    },
    "causes": [
        {
            "code": "constraint-error",
            "column": "department_id",
            "rows": 21,
            "first_line": 67,
            "message": "department_id is blank and must not be",
        }
    ],
    "error": None,
    "warnings": [
        {
            "code": "preamble",
            "line": 1,
            "message": '"Headcount of 2021" was passed over: the header is on line 2',
        }
    ],
    "warnings_total": 1,
    "email": {"state": "sent", "at": "2021-11-07T02:48:43.500000Z", "reason": None},
    "previous": None,
    "kind": "upload",
    "undoes": None,
    "is_undone": False,
    "undone_by": None,
    "loads": None,
    "change": 17,
    "impact": None,
    "erases": None,
    "files_removed": None,
    "source": None,
    "links": {
        "self": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b",
        "file": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/file",
        "rejects": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/rejects",
        "events": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/events",
        "receipt": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/receipt",
        "undo": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/undo",
    },
}


class Links(BaseModel):
    """Where more of the upload is, as paths on this host."""

    self: str
    file: str | None = Field(description="Null of what is not made of a file, such as an undo.")
    rejects: str
    events: str
    receipt: str
    undo: str | None = Field(
        description="Where it is undone, by POST; null where it has changed nothing, is undone, or "
        "can't be."
    )


class FileRows(BaseModel):
    """Records of a file by what became of them; `read` is the sum of all the others."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    unprocessed: int


class UndoRows(BaseModel):
    """Rows that an undone upload wrote by what became of them; `written` is the sum of the others.

    `restored` have their former values again, `removed` are gone, `kept` were touched by a later
    change or undone before, and on those `blocked` others depend, or what they depend on is gone.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    written: int
    restored: int
    removed: int
    kept: int
    blocked: int


def _as_one_of(schema: JsonDict) -> None:
    schema["oneOf"] = schema.pop("anyOf")


class Place(BaseModel):
    """Where an upload that waits to be loaded stands in the queue."""

    position: int = Field(
        ge=1,
        le=MOST_PLACES,
        description=f"1 is the next; {MOST_PLACES:,} is that one or any behind it.",
    )
    since: datetime


class Removal(BaseModel):
    """Why the file and the rejects of an upload are no longer kept."""

    model_config = ConfigDict(from_attributes=True)

    why: Literal["erased", "expired"]
    at: datetime


class UploadDocument(BaseModel):
    """One upload. Times are RFC 3339 in UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    table: str
    filename: str
    size: int = Field(description="Bytes of the file, inflated.")
    sha256: str
    state: State
    submitted_by: str = Field(description="The uploader's email address.")
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue: Place | None = Field(
        description="Its place while it is queued, as of the last tenth of a second; null in the "
        "202 of a POST, which says what was accepted."
    )
    options: Options
    progress: float = Field(ge=0, le=1)
    rows: FileRows | UndoRows = Field(
        description="Of an undo, the rows that the undone upload wrote.",
        json_schema_extra=_as_one_of,
    )
    causes: list[Cause] = Field(
        description="Why rows were rejected or, of an undo, kept or blocked, most rows first."
    )
    error: Failure | None = Field(
        description="Why it failed, or what it waits for while it is not final."
    )
    warnings: list[UploadWarning] = Field(
        description="What the uploader should know though it rejects nothing: the first 20."
    )
    warnings_total: int = Field(description="How many warnings there were.")
    email: Email | None = Field(
        description="What became of the email about the final state, and since when; null before "
        "it was first tried. `waiting` is tried again; `refused` (for good) and `given_up` (after "
        "days of trying) are not, and `reason` says why."
    )
    previous: str | None = Field(description="The upload whose rejected rows this one corrects.")
    kind: Kind = Field(
        description="An `upload` is of a file; an `undo` takes another one back, and an `erasure` "
        "one row out."
    )
    undoes: str | None = Field(description="The upload that this one takes back.")
    is_undone: bool = Field(
        description="Whether an undo has taken it back, in part at least, and is not undone itself."
    )
    undone_by: str | None = Field(
        description="That undo; null if it is another user's, which only `uploads:admin` shows."
    )
    loads: str | None = Field(description="The dry run whose file this one loads.")
    change: int | None = Field(
        description="The number of what it wrote in the journal of changes: the higher, the later. "
        "Null if it wrote nothing."
    )
    impact: Impact | None = Field(
        description="What it changes in the answers to the questions, and, of an undo, which later "
        "uploads held rows that it takes away: their ids are null for batches, and for other "
        "users' uploads, which only `uploads:admin` shows."
    )
    erases: int | None = Field(description="Of an erasure, the key of the row that it takes out.")
    files_removed: Removal | None = Field(
        description="Since when file and rejects are no longer kept, and whether they `expired` or "
        "one of their rows was `erased`; null while they are."
    )
    source: Source | None = Field(
        description="The sheet of the workbook that was read; null of CSV, and before it is read."
    )
    links: Links


def location_of(upload: Upload) -> str:
    """The path of the upload."""
    return f"/v1/uploads/{upload.id}"


def represent(
    upload: Upload, place: QueuePlace | None = None, *, may_name: MayName
) -> dict[str, Any]:
    """The upload as JSON takes it, with its place in the queue."""
    fields = {
        name: getattr(upload, name)
        for name in UploadDocument.model_fields
        if name not in {"links", "queue", "rows", "is_undone", "undone_by", "impact"}
    }
    undo = upload.undone_by
    document = UploadDocument(
        links=_links(upload),
        queue=None if place is None else Place(position=place.position, since=place.since),
        rows=_rows(upload.tally),
        is_undone=undo is not None,
        undone_by=undo if undo is not None and may_name(undo) else None,
        impact=_with_named(upload.impact, may_name),
        **fields,
    )
    return document.model_dump(mode="json")


def _links(upload: Upload) -> Links:
    path = location_of(upload)
    may_be_undone = upload.change is not None and upload.kind != "erasure" and not upload.undone_by
    return Links(
        self=path,
        file=f"{path}/file" if upload.kind == "upload" else None,
        rejects=f"{path}/rejects",
        events=f"{path}/events",
        receipt=f"{path}/receipt",
        undo=f"{path}/undo" if may_be_undone else None,
    )


def _rows(tally: RowCounts | UndoCounts) -> FileRows | UndoRows:
    model = UndoRows if isinstance(tally, UndoCounts) else FileRows
    return model.model_validate(tally)


def _with_named(impact: Impact | None, may_name: MayName) -> Impact | None:
    """The impact without the ids of uploads that the reader may not be told of."""
    if impact is None:
        return None
    holders = tuple(
        each if each.upload is None or may_name(each.upload) else replace(each, upload=None)
        for each in impact.holders
    )
    return replace(impact, holders=holders)


_EMAIL = Field(examples=["ana@example.com"])
Permission = Annotated[str, Field(json_schema_extra={"enum": list(PERMISSIONS)})]
_PERMISSIONS = Field(description=f"Any of {', '.join(PERMISSIONS)}.", examples=[["uploads:write"]])
_PASSWORD = Field(
    min_length=12,
    max_length=1024,
    description="Not one that is easy to guess.",
    examples=["correct horse battery staple"],
)


class ProblemDocument(BaseModel):
    """An error, per RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:muster:problem:not-found"])
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[dict[str, Any]] | None = Field(
        None,
        description="Of 422: each wrong field, or for rows `row`, `column`, `code` and `message`.",
        examples=[[{"field": "year", "message": "Field required"}]],
    )


class Token(BaseModel):
    """An access token, for the header `Authorization: Bearer`."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds.", examples=[3600])


class User(BaseModel):
    """A user."""

    id: str
    email: str = _EMAIL
    permissions: list[Permission] = _PERMISSIONS
    disabled: bool


class Users(BaseModel):
    """All users."""

    users: list[User]


class NewUser(BaseModel):
    """A user to add."""

    email: str = _EMAIL
    password: str = _PASSWORD
    permissions: list[Permission] = _PERMISSIONS


class UserChange(BaseModel):
    """What to change of a user; what is left out stays."""

    # Made defaults stay out of the document: a field may be left out, but not be null.
    permissions: list[Permission] = Field(default_factory=list)
    password: str = Field(
        default_factory=str, min_length=12, max_length=1024, description="Of another user."
    )
    disabled: bool = Field(default_factory=bool)


class PasswordChange(BaseModel):
    """One's own new password."""

    current_password: str
    new_password: str = _PASSWORD


class UploadPage(BaseModel):
    """Uploads, newest first."""

    uploads: list[UploadDocument]
    next: str | None = Field(description="The cursor of the next page, if there is one.")


class TableSchema(BaseModel):
    """A declared table, in Frictionless Table Schema (https://datapackage.org)."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["jobs"])
    title: str = Field(examples=["Jobs"])
    fields: list[dict[str, Any]]


class Tables(BaseModel):
    """The declared tables."""

    tables: list[TableSchema]


class RowPage(BaseModel):
    """Rows of a table, in key order."""

    rows: list[dict[str, Any]] = Field(examples=[[{"id": 1, "job": "Recruiter"}]])
    next: str | None


class RowChange(BaseModel):
    """A change that wrote a row."""

    change: int = Field(description="Its number: the higher, the later.")
    kind: Kind | Literal["batch"]
    effect: Literal["inserted", "updated", "removed"] = Field(description="What it did to the row.")
    upload: str | None = Field(
        description="The upload's id; null of a batch, and of another user's upload, which only "
        "`uploads:admin` shows."
    )
    at: datetime
    by: str | None = Field(
        description="Who made it; null of another user's, which only `uploads:admin` shows.",
        examples=["ana@example.com"],
    )
    line: int | None = Field(
        description="The physical line of the upload's file on which the row begins; null where "
        "there is no such file any more, where it is larger than 16 MiB, or where it was not read "
        "to that line within a second."
    )
    before: dict[str, Any] | None = Field(
        description="The row as it was before; null where it was not there, and where that is no "
        "longer kept.",
        examples=[{"id": 1, "job": "Recruiter"}],
    )


class RowHistory(BaseModel):
    """Changes of a row, newest first."""

    changes: list[RowChange]
    next: str | None = Field(
        description="The cursor of the next page, if there is one. A page may have fewer changes "
        "than its limit though others follow."
    )


class BatchCounts(BaseModel):
    """What became of a batch of rows."""

    read: int
    inserted: int
    updated: int
    unchanged: int


class BatchRowError(BaseModel):
    """What is wrong with a row of a batch."""

    row: int = Field(ge=1, description="Its number in the batch, from 1.")
    column: str | None
    code: str = Field(examples=["foreign-key"])
    message: str


class BatchCheck(BaseModel):
    """What is wrong with rows that were checked: no error means that they would be written."""

    read: int = Field(description="How many rows were checked.")
    errors: list[BatchRowError] = Field(
        description="In the order of the rows: at most `MUSTER_MAX_BATCH_ERRORS`, each row's first "
        "before any row's second."
    )
    errors_total: int = Field(description="How many errors there are.")


class JsonWebKey(BaseModel):
    """The public half of a key that signs receipts (RFC 8037, section 2)."""

    kty: str = Field(examples=["OKP"])
    crv: str = Field(examples=["Ed25519"])
    x: str = Field(description="The key, base64url.")
    kid: str = Field(description="Which key a receipt names in its header.")
    use: str = Field(examples=["sig"])
    alg: str = Field(examples=["EdDSA"])


class JsonWebKeys(BaseModel):
    """A JWK Set (RFC 7517, section 5)."""

    keys: list[JsonWebKey]


class Years(BaseModel):
    """The years in which somebody was hired, in order."""

    years: list[int] = Field(examples=[[2021, 2022]])


class QuarterRow(BaseModel):
    """Hires of a department and job by quarter."""

    department: str = Field(examples=["Support"])
    job: str = Field(examples=["Recruiter"])
    q1: int
    q2: int
    q3: int
    q4: int


class HiresByQuarter(BaseModel):
    """A row for each department and job that hired in the year."""

    year: int
    rows: list[QuarterRow]


class DepartmentRow(BaseModel):
    """Hires of a department."""

    id: int
    department: str = Field(examples=["Support"])
    hired: int


class DepartmentsAboveMean(BaseModel):
    """Departments that hired more in the year than the mean over all departments."""

    year: int
    mean: float
    rows: list[DepartmentRow]
