"""Answers that are given before the body was read, so that the client gets to see them.

A server that closes a connection on which the client is still sending makes the kernel reset it,
and the client loses the answer (RFC 9112, section 9.6). gunicorn drains 64 KiB, no more; and it
answers `Expect: 100-continue` before the app is asked, so that such a body comes all the same.
"""

import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

_DRAIN_BYTES = 256 * 1024 * 1024
_DRAIN_SECONDS = 10.0
_PIECE = 64 * 1024


class DrainingMiddleware:
    """WSGI middleware: an answer to a request whose body is not at its end ends the connection.

    What the client still sends after the answer is thrown away, up to 256 MiB or 10 seconds, so
    that neither many bytes nor slow ones hold a thread for long; nothing more is awaited from one
    that stalled. `read_timeout`, in seconds, bounds each wait for the client while its request is
    read and while it takes its answer.
    """

    def __init__(self, app: "WSGIApplication", read_timeout: float) -> None:
        self._app = app
        self._read_timeout = read_timeout

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        connection: socket.socket | None = environ.get("gunicorn.socket")
        if connection is None:
            return self._app(environ, start_response)
        connection.settimeout(self._read_timeout)
        if not _has_body(environ):
            return self._app(environ, start_response)
        body = environ["wsgi.input"] = _CountedBody(environ)
        ends_early = False

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal ends_early
            ends_early = not body.at_end
            if ends_early:
                _announce_close(start_response)
            return start_response(status, headers, exc_info)

        def drain() -> None:
            if ends_early:
                if not body.stalled:
                    _drain(connection)
                _hang_up(connection)

        return ClosingIterator(self._app(environ, start), drain)


class _CountedBody:
    """The request's body, which knows whether it was read to its end, or that nothing came."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._stream: InputStream = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        self._left: int | None = int(length) if length else None
        self.at_end = False
        self.stalled = False

    def read(self, size: int = -1) -> bytes:
        return self._counted(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._counted(self._stream.readline, size)

    def _counted(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            data = read(size)
        except TimeoutError:
            self.stalled = True
            raise
        if self._left is not None:
            self._left -= len(data)
        if self._left == 0 or (not data and size != 0):
            self.at_end = True
        return data


def _has_body(environ: "WSGIEnvironment") -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0") not in {
        "",
        "0",
    }


def _announce_close(start_response: "StartResponse") -> None:
    # gunicorn drops a Connection header of the app's; its response object, to which this method
    # belongs, writes its own.
    response = getattr(start_response, "__self__", None)
    if response is not None:
        response.force_close()


def _drain(connection: socket.socket) -> None:
    # Past the server's own reading of the body, which would wait for a full buffer each time: the
    # connection ends anyway, so what the bytes mean no longer matters.
    deadline = time.monotonic() + _DRAIN_SECONDS
    left = _DRAIN_BYTES
    try:
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            connection.settimeout(seconds)
            received = len(connection.recv(_PIECE))
            if not received:
                return
            left -= received
    except OSError:
        return


def _hang_up(connection: socket.socket) -> None:
    # Otherwise gunicorn's one loop, and so every other client, waits 2 seconds for each client that
    # does not close its side (gunicorn.util.close_graceful).
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
