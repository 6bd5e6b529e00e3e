"""The request id and the W3C trace context that follow one request through every service.

Header formats: `X-Request-Id`, and `traceparent` of https://www.w3.org/TR/trace-context/.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from werkzeug.datastructures import Headers

from muster.contracts.uploads import Upload

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True)
class Trace:
    """What identifies one request: carried in HTTP and message headers, and in every log line."""

    request_id: str
    traceparent: str

    @classmethod
    def from_headers(cls, headers: Mapping[str, str] | Headers) -> "Trace":
        """The caller's trace where it is well formed, a new one where it is not."""
        request_id = headers.get("X-Request-Id", "")
        traceparent = headers.get("traceparent", "")
        named = _REQUEST_ID.fullmatch(request_id)
        traced = _TRACEPARENT.fullmatch(traceparent)
        if named and traced:
            return cls(request_id, traceparent)
        # Asked of the system once: each time another thread may run first.
        new = secrets.token_hex(40)
        return cls(
            request_id if named else new[:32],
            traceparent if traced else f"00-{new[32:64]}-{new[64:]}-01",
        )

    def headers(self) -> dict[str, str]:
        """The headers that hand this trace on."""
        return {"X-Request-Id": self.request_id, "traceparent": self.traceparent}


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace:
    """The trace of what is being worked on; a new one where nothing set any."""
    return _current.get() or Trace.from_headers({})


@contextmanager
def tracing(trace: Trace, **fields: str) -> Iterator[None]:
    """Work on behalf of `trace`: log lines within carry its request id and `fields`."""
    token, outside = _current.set(trace), get_contextvars()
    bind_contextvars(request_id=trace.request_id, **fields)
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**outside)
        _current.reset(token)


def working_on(upload: Upload) -> AbstractContextManager[None]:
    """Work on behalf of the request that brought `upload`: log lines within name all of it."""
    named = {"X-Request-Id": upload.request_id, "traceparent": upload.traceparent}
    trace = Trace.from_headers(named)
    return tracing(trace, upload_id=upload.id, user=upload.owner)


def bind_log_fields(**fields: str) -> None:
    """Have the log lines from here to the end of the innermost `tracing` carry `fields`, too."""
    if _current.get() is not None:
        bind_contextvars(**fields)
