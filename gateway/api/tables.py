"""The declared tables and their rows."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from typing import Any

from flask import Response, g, jsonify

from gateway.api.headers import named
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
from gateway.api.rows import NEW_ROWS, ROWS, example_rows
from gateway.api.uploads import reader
from gateway.proxy.audit import note
from gateway.proxy.forward import forward, forward_streamed
from gateway.services import services
from muster.contracts.tables import get_table, tables
from muster.contracts.upload_document import UploadDocument, location_of, represent
from muster.http.negotiation import wanted_type

api = Api("tables", __name__, tag="Tables")

JSON, CSV = "application/json", "text/csv"
_ROW = {"anyOf": [api.schema_of(model) for model in ROWS]}
_BATCH = {
    "type": "array",
    "items": {"anyOf": [api.schema_of(model) for model in NEW_ROWS]},
    "minItems": 1,
    "maxItems": 1000,
}
_EXAMPLES = {
    table.name: {"summary": table.title, "value": example_rows(table)}
    for table in tables().values()
}
_FIRST = {name: {**example, "value": example["value"][0]} for name, example in _EXAMPLES.items()}
_ROWS: dict[str, Any] = {
    "description": "1 to 1000 rows of the table, as objects by column; or an object with them in "
    "`rows`. An integer or a time may also be written as a cell of CSV would have it.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    _BATCH,
                    {"type": "object", "properties": {"rows": _BATCH}, "required": ["rows"]},
                ]
            },
            "examples": _EXAMPLES,
        }
    },
}
_ROWS_READ: dict[str, Any] = {
    "description": "A page of rows, or all of them as CSV.",
    "headers": named("Link"),
    "content": {
        "application/json": {"schema": api.schema_of(RowPage)},
        "text/csv": {
            "schema": {"type": "string"},
            "example": "id,job\r\n1,Recruiter\r\n2,Manager\r\n",
        },
    },
}
_ROW_READ: dict[str, Any] = {
    "description": "The row, by column.",
    "content": {"application/json": {"schema": _ROW, "examples": _FIRST}},
}
_ERASURE = api.json_answer(UploadDocument, "Location")
_ERASED_LATER = api.json_answer(UploadDocument, "Location", "Retry-After")


@api.operation("get", "/v1/tables", access=ANY_TOKEN, answers={200: Tables})
def list_tables() -> Response:
    """List the tables.

    Their declarations, in Frictionless Table Schema: columns, types, constraints and keys.
    """
    return jsonify(tables=[table.schema for table in tables().values()])


@api.operation(
    "get", "/v1/tables/<table>", access=ANY_TOKEN, answers={200: TableSchema}, refusals=(404,)
)
def show_table(path: TablePath) -> Response:
    """Show a table.

    Its declaration, in Frictionless Table Schema.
    """
    return jsonify(get_table(path.table).schema)


@api.operation(
    "get",
    "/v1/tables/<table>/rows",
    access=("queries:read",),
    answers={200: _ROWS_READ},
    refusals=(404, 406, 422),
)
def read_rows(path: TablePath, query: RowsQuery) -> Response:  # type: ignore[valid-type]
    """Read the rows of a table.

    A page at a time, searched, filtered, sorted and counted; with `Accept: text/csv` all of them.
    They are sorted and filtered by the key and by the columns that refer to other tables.
    """
    get_table(path.table)
    is_long = wanted_type(JSON, CSV) == CSV
    return (forward_streamed if is_long else forward)(services().queries)


@api.operation(
    "get",
    "/v1/tables/<table>/rows/<key>",
    access=("queries:read",),
    answers={200: _ROW_READ},
    refusals=(404, 422),
)
def read_row(path: RowPath) -> Response:
    """Read a row.

    As the table has it now.
    """
    get_table(path.table).read_key(path.key)
    return forward(services().queries)


@api.operation(
    "get",
    "/v1/tables/<table>/rows/<key>/history",
    access=("queries:read",),
    answers={200: api.json_answer(RowHistory, "Link")},
    refusals=(404, 422),
)
def read_row_history(path: RowPath, query: HistoryQuery) -> Response:
    """Read the history of a row.

    The changes that wrote it, newest first, even of a row that is gone.
    """
    get_table(path.table).read_key(path.key)
    return forward(services().dbuploader)


@api.operation(
    "delete",
    "/v1/tables/<table>/rows/<key>",
    access=("rows:erase",),
    answers={200: _ERASURE, 202: _ERASED_LATER},
    refusals=(404, 409, 422, 429),
)
def erase_row(path: RowPath) -> Response:
    """Erase a row everywhere.

    For the right to be forgotten. With 200 the row is gone from the table, the journal and all
    answers; the answer is an upload of kind `erasure`, which then removes the files, rejects and
    emails that hold it. With 202 the loader did not answer just now, and the erasure does all of
    it. It can't be undone.
    """
    table = get_table(path.table)
    key = table.read_key(path.key)
    note(services().auth, "erasure", f"{table.name} {key}")
    erased = services().erasures.erase(g.principal, table, key)
    response = jsonify(represent(erased.upload, may_name=reader()))
    response.status_code = 200 if erased.is_erased else 202
    if not erased.is_erased:
        response.headers["Retry-After"] = str(services().queue.seconds_left(erased.upload))
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
    """Check rows.

    Up to 1000, as if they were written; none is. The answer has all that is wrong with each.
    """
    get_table(path.table)
    limit = services().limits.batch_bytes
    return forward(services().dbuploader, with_body=True, max_bytes=limit)


@api.operation(
    "post",
    "/v1/tables/<table>/rows",
    access=("rows:write",),
    answers={200: api.json_answer(BatchCounts, "Idempotent-Replayed")},
    refusals=(400, 404, 409, 413, 415, 422),
    request_body=_ROWS,
)
def write_rows(path: TablePath, header: BatchHeaders) -> Response:
    """Write rows.

    Insert or update up to 1000 in one transaction, all or nothing. If one is wrong, the answer is
    422 with what is wrong with each, and nothing is written. With an `Idempotency-Key` the request
    can be sent again.
    """
    get_table(path.table)
    limit = services().limits.batch_bytes
    return forward(services().dbuploader, with_body=True, max_bytes=limit)
