"""Which status each exception of the rules has, said once."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from flask import Response, request
from pydantic import ValidationError

from gateway.api.pagination import BadCursor
from gateway.api.requests import Query
from gateway.errors import (
    BadFilename,
    BadForm,
    BadGzip,
    ClientGone,
    KeyInFlight,
    KeyReused,
    NotCsv,
    NotFinished,
    PreviousNotFound,
    TableNotNamed,
    TooLarge,
    TooManyWaiters,
    TooManyWaitersOfUser,
    UnknownEncoding,
    WrongColumns,
)
from gateway.proxy.upstream import UpstreamUnavailable
from muster.contracts.tables import UnknownTable
from muster.contracts.uploads import UnreadableRecord
from muster.csvstore import (
    FileDamaged,
    FileNotStored,
    StateConflict,
    StoreUnavailable,
    UploadNotFound,
)
from muster.http.client import ClientTooSlow
from muster.http.problems import Problem, too_slow, unavailable

log = structlog.get_logger(__name__)

_SOON = {"Retry-After": "1"}


def _problem(
    status: int, kind: str, title: str, detail: str | None = None, **more: Any
) -> Callable[[Exception], Problem]:
    return lambda error: Problem(status, kind, title, detail or str(error), **more)


def _unknown_table(error: UnknownTable) -> Problem:
    # In the path it is what was asked for; elsewhere it is a field of the request.
    in_path = "table" in (request.view_args or {})
    if in_path:
        return Problem(404, "not-found", "Not found", str(error))
    return invalid([{"field": "table", "message": str(error)}])


def _state_conflict(error: StateConflict) -> Problem:
    return Problem(
        409,
        "already-final",
        "Already final",
        f"The upload is {error.upload.state} and can't be cancelled any more.",
        state=error.upload.state,
    )


def _file_damaged(error: FileDamaged) -> Problem:
    log.error("the file is damaged", error=str(error))
    detail = "Parts of the stored file are lost. The operators are told; they may have a backup."
    return Problem(410, "file-damaged", "Damaged", detail)


ANSWERS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    TooLarge: _problem(413, "too-large", "Too large"),
    NotCsv: _problem(415, "not-csv", "Not CSV"),
    UnknownEncoding: _problem(
        415, "unknown-encoding", "Unknown content coding", headers={"Accept-Encoding": "gzip"}
    ),
    BadGzip: _problem(422, "bad-gzip", "Not gzip"),
    BadForm: _problem(422, "bad-form", "Not such a form"),
    BadFilename: lambda error: invalid([{"field": "filename", "message": str(error)}]),
    TableNotNamed: lambda error: invalid([{"field": "table", "message": str(error)}]),
    WrongColumns: lambda error: invalid([{"field": "columns", "message": str(error)}]),
    PreviousNotFound: lambda error: invalid([{"field": "previous", "message": str(error)}]),
    UnknownTable: _unknown_table,
    BadCursor: lambda _error: invalid(
        [{"field": "cursor", "message": "not a cursor from here; leave it out to begin anew"}]
    ),
    ClientGone: _problem(400, "incomplete-body", "Incomplete body"),
    ClientTooSlow: too_slow,
    KeyInFlight: _problem(
        409,
        "idempotency-key-in-flight",
        "Still in flight",
        "A request with this Idempotency-Key is still being answered.",
        headers=_SOON,
    ),
    KeyReused: _problem(
        422,
        "idempotency-key-reused",
        "Idempotency-Key used before",
        "This Idempotency-Key belongs to another request: take a new one for each.",
    ),
    NotFinished: _problem(409, "not-finished", "Not finished", headers=_SOON),
    TooManyWaiters: _problem(
        503,
        "too-many-waiters",
        "Too many are waiting",
        "No more requests can wait for uploads now; try again, or ask without waiting.",
        headers={"Retry-After": "5"},
    ),
    TooManyWaitersOfUser: _problem(
        429, "too-many-of-yours", "Too many of yours", headers={"Retry-After": "5"}
    ),
    FileNotStored: _problem(404, "not-found", "Not found", "The file is not there any more."),
    FileDamaged: _file_damaged,
    UploadNotFound: _problem(404, "not-found", "Not found", "There is no such upload."),
    UnreadableRecord: _problem(
        503,
        "record-set-aside",
        "Set aside",
        "This version can't read the record of the upload. Nothing of it is lost, and the "
        "operators are told: it goes on once they have seen to it.",
        headers={"Retry-After": "60"},
    ),
    StateConflict: _state_conflict,
    StoreUnavailable: lambda _error: unavailable("The CSV store"),
    UpstreamUnavailable: lambda error: unavailable(f"The service {error.service}"),
}


def invalid(errors: list[dict[str, str]]) -> Problem:
    """422 with the wrong fields."""
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return Problem(422, "invalid-request", "Invalid request", detail, errors=errors)


def from_validation(error: ValidationError) -> Response:
    """The answer to parameters that pydantic refuses."""
    return invalid([_field_error(error.title, found) for found in error.errors()]).to_response()


def _field_error(model: str, found: Any) -> dict[str, str]:
    message: str = found["msg"]
    if found["type"] == "extra_forbidden":
        (query,) = (known for known in Query.__subclasses__() if known.__name__ == model)
        known = ", ".join(query.model_fields) or "none"
        message = f"there is no such parameter; known here: {known}"
    # The name alone: a further step of the path is the branch of a union that was tried.
    field = str(found["loc"][0]) if found["loc"] else ""
    return {"field": field, "message": message.removeprefix("Value error, ")}
