"""Errors over HTTP: `application/problem+json` per RFC 9457.

Rules raise exceptions of their own; each service maps them to problems once, by `answer_with`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from muster.contracts.problems import PROBLEM_TYPES, ProblemKind, uri_of
from muster.http.client import ClientTooSlow
from muster.http.json_text import json_text
from muster.observability.tracing import current_trace
from muster.weather import DISK

log = structlog.get_logger(__name__)

# Of the errors that Flask and Werkzeug raise by themselves.
_KINDS: Mapping[int, ProblemKind] = {
    404: "not-found",
    405: "method-not-allowed",
    411: "length-required",
    413: "too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    417: "expectation-failed",
    431: "request-header-fields-too-large",
    501: "not-implemented",
}


class Problem(Exception):
    """An answer that is an error.

    `kind` says its type, which has its status and title; `errors` holds field errors, and `extra`
    further members of the document.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = PROBLEM_TYPES[kind].status
        self.title = PROBLEM_TYPES[kind].title
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.extra = extra

    def to_response(self) -> Response:
        """The problem document, with the request's id."""
        document: dict[str, Any] = {
            "type": uri_of(self.kind),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": current_trace().request_id,
            **self.extra,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return Response(
            json_text(document),
            self.status,
            headers=self.headers,
            mimetype="application/problem+json",
        )


def invalid(*errors: tuple[str, str]) -> Problem:
    """422 with the wrong fields, each with what is wrong with it."""
    return Problem(
        "invalid-request",
        "; ".join(f"{field}: {message}" for field, message in errors),
        errors=[{"field": field, "message": message} for field, message in errors],
    )


def invalid_body(error: ValidationError) -> Problem:
    """422 for a body that pydantic refuses. What was sent stays out: it may be a password."""
    return invalid(*((str((*found["loc"], "body")[0]), found["msg"]) for found in error.errors()))


def unavailable(what: str, seconds: int = 2) -> Problem:
    """503: a backend that this service needs doesn't answer; try again in `seconds`."""
    return Problem(
        "unavailable",
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
    detail = error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        if error.description == RequestEntityTooLarge.description:
            detail = f"This body may have {request.max_content_length or 0:,} bytes at most."
        return Problem("too-large", detail)
    code = error.code or 500
    return Problem(_KINDS.get(code, "bad-request" if code < 500 else "internal-error"), detail)


def too_slow(error: ClientTooSlow) -> Problem:
    """408: the body took longer than it may; 503 where only the room for slow ones is taken."""
    if error.for_want_of_room:
        retry = {"Retry-After": "5"}
        return Problem("too-many-slow", error.detail, headers=retry)
    return Problem("body-timeout", error.detail)


def _from_broken_body(_error: Exception) -> Response:
    return Problem(
        "incomplete-body",
        "The body broke off or is not framed as HTTP says.",
    ).to_response()


def _from_system(error: OSError) -> Response:
    if error.errno not in DISK:
        return _from_bug(error)
    log.warning("no room for a request", error=repr(error))
    return Problem(
        "unavailable",
        "There is no room for this request now; try again.",
        headers={"Retry-After": "2"},
    ).to_response()


def _from_bug(error: Exception) -> Response:
    # The exception is not shown: it may hold what the caller must not see.
    log.error("unhandled exception", exc_info=error)
    return Problem(
        "internal-error",
        "Something went wrong here. Give the request id to the operators.",
    ).to_response()
