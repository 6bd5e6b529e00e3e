"""The upload as the API shows it, in its JSON and in what webhooks send, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

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

MOST_PLACES = 1000

MayName = Callable[[str], bool]
"""Whether the reader may be told of the upload of an id."""


@dataclass(frozen=True)
class QueuePlace:
    """A place in the queue since a time; 1 is the next, MOST_PLACES that one or any behind it."""

    position: int
    since: datetime


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
    upload: Upload, place: QueuePlace | None = None, *, may_name: MayName, base: str = ""
) -> dict[str, Any]:
    """The upload as JSON takes it, with its place in the queue; links begin with `base`."""
    fields = {
        name: getattr(upload, name)
        for name in UploadDocument.model_fields
        if name not in {"links", "queue", "rows", "is_undone", "undone_by", "impact"}
    }
    undo = upload.undone_by
    document = UploadDocument(
        links=_links(upload, base),
        queue=None if place is None else Place(position=place.position, since=place.since),
        rows=_rows(upload.tally),
        is_undone=undo is not None,
        undone_by=undo if undo is not None and may_name(undo) else None,
        impact=_with_named(upload.impact, may_name),
        **fields,
    )
    return document.model_dump(mode="json")


def _links(upload: Upload, base: str) -> Links:
    path = f"{base}{location_of(upload)}"
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
