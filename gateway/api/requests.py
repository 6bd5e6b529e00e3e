"""What a request may say in its path, query, headers and body, and how each is checked.

The models are also what the OpenAPI document shows.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, Self

from flask import request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from gateway.proxy.content_digest import ContentDigest
from gateway.services import services
from gateway.uploads.follow import MAX_WAIT_SECONDS, Gone, has_gone
from gateway.uploads.listing import UploadFilter
from gateway.uploads.request_body import RequestBody
from muster.contracts.encodings import AUTO, NAMES, UnknownEncoding, find_codec
from muster.contracts.expectations import RowLimit
from muster.contracts.tables import IntegerColumn, tables
from muster.contracts.uploads import DateOrder, Options, State
from muster.http.client import ClientSocket

# The digits that are read of a number of seconds; the maximum has fewer.
_DIGITS = 9
_DELIMITERS = {"\t": "tab", r"\t": "tab", "|": "pipe"}


def _digits(value: Any) -> Any:
    # pydantic alone would take 2_021, " 2021 " and 2021.0 for a whole number.
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("write digits only")
    return value


def _encoding(name: str) -> str:
    if name != AUTO:
        try:
            find_codec(name)
        except UnknownEncoding as error:
            raise ValueError(str(error)) from None
    return name


def _moment(value: Any) -> Any:
    # pydantic alone would take a number for seconds. A plus that was not escaped came as a blank.
    if not isinstance(value, str):
        return value
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise ValueError("write a time as RFC 3339 has it, such as 2021-11-07T00:00:00Z")
    day, time, offset = found.groups()
    return f"{day}T{time or '00:00:00'}{(offset or 'Z').replace(' ', '+')}"


def _flag(value: Any) -> Any:
    # A part must not be taken for the whole because its header is misspelt (RFC 9651, 3.3.6).
    if value not in {"?0", "?1"}:
        raise ValueError("write ?0 or ?1")
    return value == "?1"


Digits = BeforeValidator(_digits)
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)([Zz]|[-+ ][0-9]{2}:[0-9]{2}))?"
)
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
Delimiter = Annotated[
    Literal["auto", ",", ";", "tab", "pipe"],
    BeforeValidator(lambda value: _DELIMITERS.get(value, value)),
]
TableName = Annotated[
    str,
    Field(
        description="A declared table.",
        examples=["hired_employees"],
        json_schema_extra={"enum": list(tables())},
    ),
]
_ID: JsonDict = {"examples": ["5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b"]}


def _keys() -> JsonDict:
    """The schema of the keys that rows have, of whichever table."""
    keys = [
        column
        for table in tables().values()
        for column in table.columns
        if isinstance(column, IntegerColumn) and column.name == table.key
    ]
    least, most = min(key.minimum for key in keys), max(key.maximum for key in keys)
    return {"type": "integer", "minimum": least, "maximum": most}


def _one_of_tables(schema: JsonDict) -> None:
    schema["anyOf"] = [{"type": "string", "enum": list(tables())}, {"type": "null"}]


class Parameters(BaseModel):
    """What a request says beside its body."""


class Query(Parameters):
    """Query parameters; an undeclared one is refused, so that a misspelling is noticed."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _name_what_is_known(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(data)
        except ValidationError as error:
            found = [cls._with_what_is_known(each) for each in error.errors()]
            raise ValidationError.from_exception_data(cls.__name__, found) from None

    @classmethod
    def _with_what_is_known(cls, error: ErrorDetails) -> InitErrorDetails:
        kind: str | PydanticCustomError = error["type"]
        if kind == "extra_forbidden":
            known = ", ".join(cls.model_fields) or "none"
            kind = PydanticCustomError(
                "extra_forbidden",
                "there is no such parameter; known here: {known}",
                {"known": known},
            )
        return InitErrorDetails(
            type=kind, loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
        )


class UploadQuery(Query):
    """How to read and load an uploaded file."""

    table: str | None = Field(
        None,
        description="The table it is for; else the file is called after it.",
        json_schema_extra=_one_of_tables,
    )
    filename: str | None = Field(
        None, description="The file's name.", examples=["hired_employees.csv"]
    )
    mode: Literal["upsert", "insert"] = Field(
        "upsert", description="With insert, a row whose key is there already is a reject."
    )
    max_rejects: Annotated[int, Field(ge=0, le=2**31 - 1), Digits] | None = Field(
        None, description="More rejects than that and nothing is loaded; unlimited if left out."
    )
    dry_run: bool = Field(False, description="Validate and report, load nothing.")
    header: Literal["auto", "present", "absent"] = Field(
        "auto", description="Whether the first record names the columns."
    )
    delimiter: Delimiter = Field("auto", description="What separates the cells.")
    encoding: Annotated[str, Field(max_length=40), AfterValidator(_encoding)] = Field(
        AUTO,
        description="The file's encoding; auto is UTF-8, or UTF-16 where the file shows it. One of "
        f"{', '.join(NAMES)}, or another name of one of these.",
        examples=["windows-1252"],
    )
    columns: str = Field(
        "",
        max_length=4096,
        description="What the header's labels mean: one CSV record, each cell a label and a column "
        "of the table, split at its last colon. A label without a column after its colon is "
        "ignored, with its cells.",
        examples=["Employee No:id,Full name:name,Remarks:"],
    )
    dates: DateOrder = Field(
        "iso",
        description="In which order day and month stand in dates such as 7/11/2021: dmy or mdy. "
        "With iso such a date is rejected; the year comes first.",
    )
    expect_rows: Annotated[int, Field(ge=0, le=2**31 - 1), Digits] | None = Field(
        None, description="Load nothing if the file has another number of rows, rejected ones too."
    )
    max_inserted: RowLimit | None = Field(
        None,
        description="Load nothing if more rows would be inserted: a number, or a share of the rows "
        "read. If left out, what the installation sets for the table.",
        examples=["500"],
    )
    max_updated: RowLimit | None = Field(
        None,
        description="Load nothing if more rows would be updated, likewise; `100%` is no limit.",
        examples=["5%"],
    )
    sheet: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None,
        description="The sheet of a workbook; else its first visible one with a header, or with "
        "anything in it.",
        examples=["Sheet1"],
    )
    previous: str | None = Field(
        None, description="The id of the upload whose rejected rows the file has, corrected."
    )

    def options(self) -> Options:
        """What the loader needs of it."""
        return Options(
            mode=self.mode,
            max_rejects=self.max_rejects,
            dry_run=self.dry_run,
            header=self.header,
            delimiter=self.delimiter,
            encoding=self.encoding,
            columns=self.columns,
            dates=self.dates,
            expect_rows=self.expect_rows,
            max_inserted=self.max_inserted,
            max_updated=self.max_updated,
            sheet=self.sheet,
        )


class UndoQuery(Query):
    """How to undo an upload."""

    mode: Literal["possible", "all"] = Field(
        "possible",
        description="Rows that a later change touched, or on which others depend, are left as they "
        "are; with all, nothing is undone unless every row can be.",
    )
    dry_run: bool = Field(False, description="Say what would become of the rows, change nothing.")

    def options(self) -> Options:
        """What the loader needs of it."""
        return Options(mode=self.mode, dry_run=self.dry_run)


class ListQuery(Query):
    """Which uploads to list."""

    state: State | None = Field(None, description="Only those in this state.")
    table: str | None = Field(
        None, description="Only those for this table.", json_schema_extra=_one_of_tables
    )
    filename: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Only those with this in their file name, whatever the case.",
        examples=["payroll"],
    )
    submitted_after: Moment | None = Field(
        None,
        description="Only those sent at or after this time, RFC 3339; a date alone is its midnight "
        "UTC.",
        examples=["2021-11-07T00:00:00Z"],
    )
    submitted_before: Moment | None = Field(None, description="Only those sent before this time.")
    submitted_by: str | None = Field(
        None,
        min_length=1,
        max_length=320,
        description="Only those of the user with this email address, for `uploads:admin`.",
        examples=["ana@example.com"],
    )
    previous: str | None = Field(
        None, description="Only those that correct the rejected rows of this upload."
    )
    limit: Annotated[int, Field(ge=1, le=100), Digits] = Field(20, description="How many at most.")
    cursor: str | None = Field(None, min_length=1, description="`next` of the page before.")

    def filter(self) -> UploadFilter:
        """What the uploads are to have in common."""
        return UploadFilter(
            state=self.state,
            table=self.table,
            filename=self.filename,
            submitted_after=self.submitted_after,
            submitted_before=self.submitted_before,
            submitted_by=self.submitted_by,
            previous=self.previous,
        )


class RejectsQuery(Query):
    """How to write the rejects."""

    spreadsheet: Literal["safe"] | None = Field(
        None, description="Put a quote before cells that a spreadsheet would take for a formula."
    )


class _RowsQuery(Query):
    """Which rows to read; columns by which rows are found are parameters, too."""

    limit: Annotated[int, Field(ge=1, le=1000), Digits] = Field(
        100, description="How many at most; CSV has all."
    )
    cursor: str | None = Field(
        None,
        min_length=1,
        description="`next` of the page before, with all else as it was there.",
    )
    search: str = Field(
        "",
        max_length=255,
        description="Only rows with a text that begins so; case and accents do not matter.",
        examples=["mar"],
    )
    sort: str | None = Field(
        None,
        description="By which of these columns; backwards with `-` before it. By default the key.",
        examples=["-id"],
    )
    names: bool = Field(
        False, description="Also say what the rows are called to which these refer."
    )


def _of_column(name: str) -> tuple[Any, Any]:
    owners = ", ".join(table.name for table in tables().values() if name in table.indexed_names)
    # Read as text: queries says which whole numbers there can be.
    return str | None, Field(
        None,
        description=f"Only rows with this {name}, of {owners}.",
        json_schema_extra={"anyOf": [{"type": "integer"}, {"type": "null"}]},
    )


_INDEXED = dict.fromkeys(name for table in tables().values() for name in table.indexed_names)
_BY_COLUMN: dict[str, Any] = {name: _of_column(name) for name in _INDEXED}
RowsQuery: type[_RowsQuery] = create_model("RowsQuery", __base__=_RowsQuery, **_BY_COLUMN)


class AuditQuery(Query):
    """Which entries of the audit log to read."""

    action: str | None = Field(
        None, description="Only those of this action.", examples=["key-made"]
    )
    user: str | None = Field(None, description="Only those of the user of this id.")
    limit: Annotated[int, Field(ge=1, le=200), Digits] = Field(50, description="How many at most.")
    cursor: str | None = Field(None, min_length=1, description="`next` of the page before.")


class HistoryQuery(Query):
    """Which changes of a row to read."""

    limit: Annotated[int, Field(ge=1, le=100), Digits] = Field(20, description="How many at most.")
    cursor: str | None = Field(None, min_length=1, description="`next` of the page before.")


class YearQuery(Query):
    """The year that is asked about."""

    year: Annotated[int, Field(ge=1000, le=9999), Digits] = Field(
        description="A year in UTC.", examples=[2021]
    )


class UploadPath(Parameters):
    """Which upload."""

    id: str = Field(description="The upload's id.", json_schema_extra=_ID)


class TablePath(Parameters):
    """Which table."""

    table: TableName


class RowPath(TablePath):
    """Which row of which table."""

    # Read as text: each table says which keys there can be, and what else is written is no key.
    key: str = Field(
        description="The row's key, in decimal digits.",
        json_schema_extra={**_keys(), "examples": [42]},
    )


class UserPath(Parameters):
    """Which user."""

    id: str = Field(description="The user's id.", json_schema_extra=_ID)


class KeyPath(Parameters):
    """Which access key."""

    id: str = Field(description="The key's id; not the key.", json_schema_extra=_ID)


_KEY = Field(
    None,
    alias="Idempotency-Key",
    min_length=1,
    max_length=255,
    pattern="^[ -~]+$",
    description="Sent again with the same request, gives the first answer again.",
)
_PREFER = Field(
    None,
    alias="Prefer",
    description="`wait=N`: answer when the upload is final, or after N seconds (60 at most).",
    examples=["wait=30"],
)


_DIGEST = Field(
    None,
    alias="Content-Digest",
    description="Digests of the body as it is sent, by `sha-256` or `sha-512`, to be checked (RFC "
    "9530).",
    examples=["sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"],
)

Flag = Annotated[bool, BeforeValidator(_flag)]
Length = Annotated[int, Field(ge=0, le=10**15 - 1), Digits]


class UploadHeaders(Parameters):
    """Headers of an upload."""

    idempotency_key: str | None = _KEY
    prefer: str | None = _PREFER


class NewUploadHeaders(UploadHeaders):
    """Headers of an upload that brings its file, or begins to."""

    upload_complete: Flag = Field(
        True,
        alias="Upload-Complete",
        description="`?0`: this begins an upload in parts, and has the first of them, or none.",
        json_schema_extra={"type": "string", "enum": ["?0", "?1"], "default": "?1"},
    )
    upload_length: Length | None = Field(
        None,
        alias="Upload-Length",
        description="With `Upload-Complete: ?0`: the bytes of all parts together.",
        examples=[1073741824],
    )
    content_digest: str | None = _DIGEST


class ContentHeaders(Parameters):
    """Headers of a part of an upload."""

    upload_complete: Flag = Field(
        alias="Upload-Complete",
        description="`?1` for the last part, which may be empty.",
        json_schema_extra={"type": "string", "enum": ["?0", "?1"]},
    )
    upload_offset: Length = Field(
        alias="Upload-Offset", description="At which byte of the file the part begins."
    )
    prefer: str | None = _PREFER
    content_digest: str | None = _DIGEST


class WaitHeaders(Parameters):
    """Headers of a read that may wait."""

    prefer: str | None = _PREFER


class CheckQuery(Query):
    """How the rows of a check are read."""

    dates: DateOrder = Field(
        "iso", description="In which order day and month stand in dates, as of an upload."
    )


class BatchHeaders(Parameters):
    """Headers of a batch of rows."""

    idempotency_key: str | None = _KEY
    content_digest: str | None = _DIGEST


class ConditionalHeaders(Parameters):
    """Headers of a read that may be answered by 304."""

    if_none_match: str | None = Field(
        None, alias="If-None-Match", description="The ETag of the answer that one has."
    )


def preferred_wait(header: str | None) -> int | None:
    """The seconds that `wait` asks for, 60 at most; None if it does not, or is malformed."""
    for preference in (header or "").split(","):
        name, _, value = preference.split(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdecimal():
            return min(int(seconds[:_DIGITS]), MAX_WAIT_SECONDS)
    return None


def client_gone() -> Gone:
    """What says whether the client of this request has gone, also after the request's context."""
    return partial(has_gone, request.environ.get("gunicorn.socket"))


def client_left() -> Callable[[], bool]:
    """What says whether the client of this request has closed or reset its connection."""
    connection = request.environ.get("gunicorn.socket")
    return connection.has_left if isinstance(connection, ClientSocket) else lambda: False


def request_body() -> RequestBody:
    """The body of an upload, not read yet, with what its headers say; raises InvalidDigest."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, ClientSocket):
        connection.expect_upload()
    return _body(services().limits.upload_bytes)


def preview_body() -> RequestBody:
    """The body of a preview, likewise; it must come as fast as any that is no upload."""
    return _body(services().limits.preview_bytes)


def _body(limit: int) -> RequestBody:
    return RequestBody(
        # As it comes: the limit of other bodies is not for this one.
        stream=request.input_stream,
        media_type=request.mimetype,
        parameters=request.mimetype_params,
        coding=_content_coding(),
        length=request.content_length,
        limit=limit,
        has_left=client_left(),
        digest=ContentDigest.from_header(request.headers.get("Content-Digest")),
    )


def _content_coding() -> str:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    return {"": "identity", "x-gzip": "gzip"}.get(coding, coding)
