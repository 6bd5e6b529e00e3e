"""The declared tables and their rows."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from typing import Any

from flask import Response, g, jsonify, request

from gateway.api.openapi import ANY_TOKEN, Api
from gateway.api.requests import (
    BatchHeaders,
    CheckQuery,
    HistoryQuery,
    RowPath,
    RowsQuery,
    TablePath,
)
from gateway.api.responses import (
    BatchCheck,
    BatchCounts,
    RowHistory,
    RowPage,
    Tables,
    TableSchema,
)
from gateway.api.uploads import reader
from gateway.proxy.audit import note
from gateway.proxy.forward import forward, forward_streamed
from gateway.services import services
from muster.contracts.tables import get_table, tables
from muster.contracts.upload_document import UploadDocument, location_of, represent

api = Api("tables", __name__, abp_tags=[{"name": "Tables"}])

JSON, CSV = "application/json", "text/csv"
_BATCH = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1000}
_ROWS: dict[str, Any] = {
    "description": "1 to 1000 rows, as objects by column; or an object with them in `rows`.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    _BATCH,
                    {"type": "object", "properties": {"rows": _BATCH}, "required": ["rows"]},
                ]
            },
            "example": [{"id": 1, "job": "Recruiter"}, {"id": 2, "job": "Manager"}],
        }
    },
}
_ROWS_READ: dict[str, Any] = {
    "description": "A page of rows, or all of them as CSV.",
    "content": {
        "application/json": {"schema": api.schema_of(RowPage)},
        "text/csv": {
            "schema": {"type": "string"},
            "example": "id,job\r\n1,Recruiter\r\n2,Manager\r\n",
        },
    },
}
_ROW: dict[str, Any] = {
    "description": "The row, by column.",
    "content": {
        "application/json": {"schema": {"type": "object"}, "example": {"id": 1, "job": "Recruiter"}}
    },
}


@api.operation("get", "/v1/tables", access=ANY_TOKEN, answers={200: Tables})
def list_tables() -> Response:
    """The declarations of all tables."""
    return jsonify(tables=[table.schema for table in tables().values()])


@api.operation(
    "get", "/v1/tables/<table>", access=ANY_TOKEN, answers={200: TableSchema}, refusals=(404,)
)
def show_table(path: TablePath) -> Response:
    """The declaration of one table."""
    return jsonify(get_table(path.table).schema)


@api.operation(
    "get",
    "/v1/tables/<table>/rows",
    access=("queries:read",),
    answers={200: _ROWS_READ},
    refusals=(404, 422),
)
def read_rows(path: TablePath, query: RowsQuery) -> Response:  # type: ignore[valid-type]
    """Rows a page at a time, searched, filtered, sorted and counted; all with `Accept: text/csv`.

    They are sorted and filtered by the key and by columns that refer to other tables.
    """
    get_table(path.table)
    is_long = request.accept_mimetypes.best_match([JSON, CSV], JSON) == CSV
    return (forward_streamed if is_long else forward)(services().queries)


@api.operation(
    "get",
    "/v1/tables/<table>/rows/<key>",
    access=("queries:read",),
    answers={200: _ROW},
    refusals=(404, 422),
)
def read_row(path: RowPath) -> Response:
    """One row."""
    get_table(path.table).read_key(path.key)
    return forward(services().queries)


@api.operation(
    "get",
    "/v1/tables/<table>/rows/<key>/history",
    access=("queries:read",),
    answers={200: RowHistory},
    refusals=(404, 422),
)
def read_row_history(path: RowPath, query: HistoryQuery) -> Response:
    """The changes that wrote a row, newest first, also of one that is gone."""
    get_table(path.table).read_key(path.key)
    return forward(services().dbuploader)


@api.operation(
    "delete",
    "/v1/tables/<table>/rows/<key>",
    access=("rows:erase",),
    answers={200: UploadDocument, 202: UploadDocument},
    refusals=(404, 409, 422, 429),
)
def erase_row(path: RowPath) -> Response:
    """Erase a row everywhere: 200 once table, journal and answers are clean.

    The `erasure`, an upload, then removes the files, rejects and emails that hold it. With 202 it
    does all of it, as the loader did not answer just now.
    """
    table = get_table(path.table)
    key = table.read_key(path.key)
    note(services().auth, "erasure", f"{table.name} {key}")
    erased = services().erasures.erase(g.principal, table, key)
    response = jsonify(represent(erased.upload, may_name=reader()))
    response.status_code = 200 if erased.is_erased else 202
    response.headers["Location"] = location_of(erased.upload)
    return response


@api.operation(
    "post",
    "/v1/tables/<table>/check",
    access=("rows:write", "uploads:write"),
    answers={200: BatchCheck},
    refusals=(400, 404, 413, 415, 422),
    request_body=_ROWS,
)
def check_rows(path: TablePath, query: CheckQuery) -> Response:
    """Check up to 1000 rows as if they were written, and write none."""
    get_table(path.table)
    limit = services().limits.batch_bytes
    return forward(services().dbuploader, with_body=True, max_bytes=limit)


@api.operation(
    "post",
    "/v1/tables/<table>/rows",
    access=("rows:write",),
    answers={200: BatchCounts},
    refusals=(400, 404, 409, 413, 415, 422),
    request_body=_ROWS,
)
def write_rows(path: TablePath, header: BatchHeaders) -> Response:
    """Insert or update up to 1000 rows in one transaction, all or nothing."""
    get_table(path.table)
    limit = services().limits.batch_bytes
    return forward(services().dbuploader, with_body=True, max_bytes=limit)
