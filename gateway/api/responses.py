"""The upload as the API shows it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from muster.contracts.uploads import (
    Cause,
    Email,
    Failure,
    Options,
    RowCounts,
    State,
    Upload,
    UploadWarning,
)

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
    "options": {
        "mode": "upsert",
        "max_rejects": None,
        "dry_run": False,
        "header": "auto",
        "delimiter": "auto",
        "encoding": "auto",
        "columns": "",
        "dates": "iso",
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
    "links": {
        "self": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b",
        "file": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/file",
        "rejects": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/rejects",
        "events": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b/events",
    },
}


class Links(BaseModel):
    """Where more of the upload is, as paths on this host."""

    self: str
    file: str
    rejects: str
    events: str


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
    options: Options
    progress: float = Field(ge=0, le=1)
    rows: RowCounts
    causes: list[Cause] = Field(description="Why rows were rejected, most rows first.")
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
    previous: str | None = Field(description="The upload whose rejected rows this one mends.")
    links: Links


def location_of(upload: Upload) -> str:
    """The path of the upload."""
    return f"/v1/uploads/{upload.id}"


def represent(upload: Upload) -> dict[str, Any]:
    """The upload as JSON takes it."""
    path = location_of(upload)
    links = Links(
        self=path, file=f"{path}/file", rejects=f"{path}/rejects", events=f"{path}/events"
    )
    fields = {
        name: getattr(upload, name) for name in UploadDocument.model_fields if name != "links"
    }
    return UploadDocument(links=links, **fields).model_dump(mode="json")
