"""Errors over HTTP: `application/problem+json` per RFC 9457.

Rules raise exceptions of their own; each service maps them to problems once, by `answer_with`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, json, request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from muster.http.client import ClientTooSlow
from muster.observability.tracing import current_trace
from muster.weather import DISK

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error.

    `kind` is the last part of its type URI, `errors` holds field errors, and `extra` further
    members of the document.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.extra = extra

    def to_response(self) -> Response:
        """The problem document, with the request's id."""
        document: dict[str, Any] = {
            "type": f"urn:muster:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": current_trace().request_id,
            **self.extra,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return Response(
            json.dumps(document),
            self.status,
            headers=self.headers,
            mimetype="application/problem+json",
        )


def invalid(*errors: tuple[str, str]) -> Problem:
    """422 with the wrong fields, each with what is wrong with it."""
    return Problem(
        422,
        "invalid-request",
        "Invalid request",
        "; ".join(f"{field}: {message}" for field, message in errors),
        errors=[{"field": field, "message": message} for field, message in errors],
    )


def invalid_body(error: ValidationError) -> Problem:
    """422 for a body that pydantic refuses. What was sent stays out: it may be a password."""
    return invalid(*((str((*found["loc"], "body")[0]), found["msg"]) for found in error.errors()))


def unavailable(what: str, seconds: int = 2) -> Problem:
    """503: a backend that this service needs doesn't answer; try again in `seconds`."""
    return Problem(
        503,
        "unavailable",
        "Temporarily unavailable",
        f"{what} does not answer now; try again.",
        headers={"Retry-After": str(seconds)},
    )


def answer_with(app: Flask, answers: Mapping[type[Exception], Callable[[Any], Problem]]) -> None:
    """Have `app` answer each exception with the problem that its function makes."""
    for exception, to_problem in answers.items():
        app.register_error_handler(
            exception, lambda error, to_problem=to_problem: to_problem(error).to_response()
        )


def install_problems(app: Flask) -> None:
    """Have `app` answer every error, foreseen or not, with a problem document."""
    app.register_error_handler(Problem, Problem.to_response)
    app.register_error_handler(HTTPException, from_http_exception)
    # What the server raises from reading a body.
    app.register_error_handler(ClientTooSlow, lambda error: too_slow(error).to_response())
    for broken in (NoMoreData, ParseException):
        app.register_error_handler(broken, _from_broken_body)
    app.register_error_handler(OSError, _from_system)
    app.register_error_handler(Exception, _from_bug)


def from_http_exception(error: HTTPException) -> Response:
    """The problem document of an error that Flask or Werkzeug raised."""
    problem = problem_of(error).to_response()
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            problem.headers[name] = value
    return problem


def problem_of(error: HTTPException) -> Problem:
    """The same as a Problem; one for a body that is too large names the limit."""
    # Werkzeug takes every error from reading a body for the end of the connection.
    if isinstance(error.__context__, ClientTooSlow):
        return too_slow(error.__context__)
    status, title, detail = error.code or 500, error.name, error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        if error.description == RequestEntityTooLarge.description:
            detail = f"This body may have {request.max_content_length or 0:,} bytes at most."
        return Problem(413, "too-large", "Too large", detail)
    return Problem(status, title.lower().replace(" ", "-"), title, detail)


def too_slow(error: ClientTooSlow) -> Problem:
    """408: the body took longer than it may; 503 where only the room for slow ones is taken."""
    if error.for_want_of_room:
        retry = {"Retry-After": "5"}
        return Problem(503, "too-many-slow", "Too many are slow", error.detail, headers=retry)
    return Problem(408, "body-timeout", "Request timeout", error.detail)


def _from_broken_body(_error: Exception) -> Response:
    return Problem(
        400,
        "incomplete-body",
        "Incomplete body",
        "The body broke off or is not framed as HTTP says.",
    ).to_response()


def _from_system(error: OSError) -> Response:
    if error.errno not in DISK:
        return _from_bug(error)
    log.warning("no room for a request", error=repr(error))
    return Problem(
        503,
        "unavailable",
        "Temporarily unavailable",
        "There is no room for this request now; try again.",
        headers={"Retry-After": "2"},
    ).to_response()


def _from_bug(error: Exception) -> Response:
    # The exception is not shown: it may hold what the caller must not see.
    log.error("unhandled exception", exc_info=error)
    return Problem(
        500,
        "internal-error",
        "Internal error",
        "Something went wrong here. Give the request id to the operators.",
    ).to_response()
