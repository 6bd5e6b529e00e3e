"""Responses that are sent before the body was read, in such a way that the client gets them.

A server that closes a connection on which the client is still sending makes the kernel reset it,
and the client loses the answer (RFC 9112, section 9.6). What comes after such an answer is thrown
away by the worker's loop (muster.http.connections). gunicorn answers `Expect: 100-continue` before
the app is asked, so that such a body comes all the same.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment


class CloseAfterEarlyResponses:
    """WSGI middleware: an answer to a request whose body is not at its end ends the connection."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        if not _has_body(environ):
            return self._app(environ, start_response)
        body = environ["wsgi.input"] = _CountedBody(environ)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if not body.at_end:
                _announce_close(start_response)
            return start_response(status, headers, exc_info)

        return self._app(environ, start)


class _CountedBody:
    """The request's body, which knows whether it was read to its end."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._stream: InputStream = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        self._left: int | None = int(length) if length else None
        self.at_end = False

    def read(self, size: int = -1) -> bytes:
        return self._counted(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._counted(self._stream.readline, size)

    def _counted(self, read: Callable[[int], bytes], size: int) -> bytes:
        data = read(size)
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
