"""The server's own error responses, where there is no request that an app could answer."""

import json
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

from muster.http.settings import ServerSettings

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    # Ours, not the client's.
    (InvalidResponseHeader, 500),
    (InvalidResponseHeaderName, 500),
    (LimitRequestLine, 414),
    (LimitRequestHeaders, 431),
    (ExpectationFailed, 417),
    (UnsupportedTransferCoding, 501),
    (ParseException, 400),
)


def early_error(reason: str, settings: ServerSettings) -> bytes:
    """The answer to a request that ends for `reason` before it has come."""
    if reason == "head-time":
        seconds = f"{settings.head_seconds:g} s"
        return _answer(408, f"The head of the request did not arrive within {seconds}.")
    if reason == "body-time":
        seconds = f"{settings.body_seconds:g} s"
        return _answer(408, f"The body did not arrive within {seconds}.")
    if reason == "head-size":
        size = f"{settings.max_head_bytes:,} bytes"
        return _answer(431, f"The head of a request may have {size} at most.")
    return _answer(503, "Too many requests are on their way; try again.")


def error_response(error: Exception) -> bytes:
    """The answer to a request that gunicorn could not parse, or that failed outside of the app."""
    status = status_of(error)
    if status == 500:
        detail = "Something went wrong here. Give the request id to the operators."
    else:
        detail = "The request is not HTTP/1.1 as RFC 9112 has it, or has too large a head."
    return _answer(status, detail)


def status_of(error: Exception) -> int:
    """500 unless it is the client's fault."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _answer(status: int, detail: str) -> bytes:
    phrase, request_id = HTTPStatus(status).phrase, uuid.uuid4().hex
    problem = {
        "type": f"urn:muster:problem:{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    body = json.dumps(problem)
    # RFC 9110, section 15.6.4.
    again = ("Retry-After: 1",) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    head = (
        f"HTTP/1.1 {status} {phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
        *again,
    )
    return "\r\n".join((*head, "", body)).encode()
