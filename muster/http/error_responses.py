"""The server's own error responses, where there is no request that an app could answer."""

import uuid
from http import HTTPStatus

from gunicorn.http.errors import (  # type: ignore[attr-defined]
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from muster.contracts.problems import PROBLEM_TYPES, ProblemKind, uri_of
from muster.http.json_text import json_text
from muster.http.settings import ServerSettings

_KINDS: tuple[tuple[type[Exception], ProblemKind], ...] = (
    # Ours, not the client's.
    (InvalidResponseHeader, "internal-error"),
    (InvalidResponseHeaderName, "internal-error"),
    (LimitRequestLine, "uri-too-long"),
    (LimitRequestHeaders, "request-header-fields-too-large"),
    (ExpectationFailed, "expectation-failed"),
    (UnsupportedTransferCoding, "not-implemented"),
    (ParseException, "bad-request"),
)


def early_error(reason: str, settings: ServerSettings) -> bytes:
    """The answer to a request that ends for `reason` before it has come."""
    if reason == "head-time":
        seconds = f"{settings.head_seconds:g} s"
        return _answer("head-timeout", f"The head of the request did not arrive within {seconds}.")
    if reason == "body-time":
        seconds = f"{settings.body_seconds:g} s"
        return _answer("body-timeout", f"The body did not arrive within {seconds}.")
    if reason == "head-size":
        size = f"{settings.max_head_bytes:,} bytes"
        return _answer(
            "request-header-fields-too-large", f"The head of a request may have {size} at most."
        )
    return _answer("busy", "Too many requests are on their way; try again.")


def error_response(error: Exception) -> bytes:
    """The answer to a request that gunicorn could not parse, or that failed outside of the app."""
    kind = _kind_of(error)
    if kind == "internal-error":
        detail = "Something went wrong here. Give the request id to the operators."
    else:
        detail = "The request is not HTTP/1.1 as RFC 9112 has it, or has too large a head."
    return _answer(kind, detail)


def status_of(error: Exception) -> int:
    """500 unless it is the client's fault."""
    return PROBLEM_TYPES[_kind_of(error)].status


def _kind_of(error: Exception) -> ProblemKind:
    return next((kind for each, kind in _KINDS if isinstance(error, each)), "internal-error")


def _answer(kind: ProblemKind, detail: str) -> bytes:
    status, request_id = PROBLEM_TYPES[kind].status, uuid.uuid4().hex
    problem = {
        "type": uri_of(kind),
        "title": PROBLEM_TYPES[kind].title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    body = json_text(problem)
    # RFC 9110, section 15.6.4.
    again = ("Retry-After: 1",) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
        *again,
    )
    return "\r\n".join((*head, "", body)).encode()
