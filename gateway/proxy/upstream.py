"""The services behind the gateway, over HTTP: a request goes on as it came, and its answer back."""

import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse
from werkzeug.datastructures import Headers

from gateway.errors import UpstreamUnavailable
from muster.http.direct import ServiceUrl
from muster.observability.tracing import current_trace

log = structlog.get_logger(__name__)

REQUEST_HEADERS = ("Authorization", "Accept", "Content-Type", "If-None-Match", "Idempotency-Key")
RESPONSE_HEADERS = (
    "Content-Type",
    "ETag",
    "Location",
    "Link",
    "Idempotent-Replayed",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "WWW-Authenticate",
    "Cache-Control",
    "Vary",
)
_CHUNK = 64 * 1024
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 60.0
# Of a service that hangs: what is not known to be undone is waited for longer than what only reads.
_LOOK_SECONDS = 10.0


class _Retry(Retry):
    """Has nothing sent again that took too long: it would again, while a thread waits for it."""

    def increment(self, *arguments: Any, **options: Any) -> Self:
        if isinstance(options.get("error"), ReadTimeoutError):
            raise options["error"]
        return super().increment(*arguments, **options)


# Only what was certainly not received, or changes nothing, is sent again.
_RETRY = _Retry(
    2,
    redirect=0,
    status=0,
    other=0,
    allowed_methods=("GET", "HEAD"),
    respect_retry_after_header=False,
)
# A machine that loses its power says nothing: without these, its connections look open for as long
# as an answer may take. Some are Linux's alone: tcp(7).
_SILENCE_SECONDS = 5
_SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in {
            "TCP_KEEPIDLE": _SILENCE_SECONDS,
            "TCP_KEEPINTVL": 1,
            "TCP_USER_TIMEOUT": 1000 * _SILENCE_SECONDS,
        }.items()
        if hasattr(socket, name)
    ),
]


# Half of what a service that stops gives its idle connections (muster.http.worker). What is sent on
# one at the moment in which it is closed is lost, and can't be sent again if it changes something.
_MOST_IDLE_SECONDS = 1.0


class _BusyConnection(HTTPConnection):
    """One that is not used again after it was idle for long."""

    _answered_at = math.inf

    def getresponse(self) -> Any:
        answer = super().getresponse()
        self._answered_at = time.monotonic()
        return answer

    @property
    def is_connected(self) -> bool:
        is_stale = time.monotonic() - self._answered_at > _MOST_IDLE_SECONDS
        return not is_stale and super().is_connected


class _BusyTlsConnection(HTTPSConnection, _BusyConnection):
    """The same by TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _BusyConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BusyTlsConnection


@dataclass(frozen=True)
class UpstreamResponse:
    """What a service answered; of its headers, those in RESPONSE_HEADERS."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_shareable(self) -> bool:
        """Whether it is the same for everybody who may ask."""
        return self.status in {200, 304}


@dataclass(frozen=True)
class UpstreamStream:
    """An answer that is still coming, as UpstreamResponse; to be closed in the end."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None]


class Upstream:
    """One service at `url`; safe to share between threads, of which `pool` keep a connection."""

    def __init__(self, service: str, url: str, pool: int) -> None:
        self.service = service
        address = ServiceUrl.parse(url)
        self._base = urlsplit(address.base).path
        # Of requests, whose part of a call takes longer than all the rest, this is what is needed.
        manager = PoolManager(
            maxsize=pool,
            retries=_RETRY,
            socket_options=[*HTTPConnection.default_socket_options, *_SOCKET_OPTIONS],
            ca_certs=address.ca_file,
        )
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._pool = manager.connection_from_url(address.base)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | Headers,
        body: bytes,
        client_address: str,
    ) -> UpstreamResponse:
        """Ask the service for `path`, percent-encoded as it came; raises UpstreamUnavailable.

        Of `headers`, those in REQUEST_HEADERS are forwarded.
        """
        sent = _forwarded_headers(headers, client_address)
        answer = self._ask(method, _with_query(path, query), sent, body)
        return UpstreamResponse(answer.status, _kept_headers(answer), answer.data)

    def stream(
        self, path: str, *, query: str, headers: Mapping[str, str] | Headers, client_address: str
    ) -> UpstreamStream:
        """As `send`, of a GET whose answer is not read yet; HTTPError where it breaks off."""
        sent = _forwarded_headers(headers, client_address)
        answer = self._ask("GET", _with_query(path, query), sent, b"", preload_content=False)

        def close() -> None:
            # One of which something is left to read is of no use to another request.
            answer.close()
            answer.release_conn()

        return UpstreamStream(answer.status, _kept_headers(answer), answer.stream(_CHUNK), close)

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes, **more: Any
    ) -> BaseHTTPResponse:
        seconds = _LOOK_SECONDS if method == "GET" else _READ_SECONDS
        try:
            return self._pool.urlopen(
                method,
                f"{self._base}{path}",
                headers=headers,
                body=body or None,
                timeout=Timeout(connect=_CONNECT_SECONDS, read=seconds),
                redirect=False,
                **more,
            )
        except HTTPError as error:
            log.warning("no answer", upstream=self.service, error=repr(error))
            raise UpstreamUnavailable(self.service) from error

    def check(self) -> None:
        """Return if the service can be reached; raises UpstreamUnavailable."""
        try:
            timeout = Timeout(connect=_CONNECT_SECONDS, read=_CONNECT_SECONDS)
            path = f"{self._base}/healthz"
            answer = self._pool.urlopen("GET", path, timeout=timeout, redirect=False)
        except HTTPError as error:
            raise UpstreamUnavailable(self.service) from error
        if answer.status >= 400:
            raise UpstreamUnavailable(self.service)

    def close(self) -> None:
        """Give up the connections."""
        self._pool.close()


def _with_query(path: str, query: str) -> str:
    return f"{path}{'?' if query else ''}{query}"


def _kept_headers(answer: BaseHTTPResponse) -> dict[str, str]:
    return {name: answer.headers[name] for name in RESPONSE_HEADERS if name in answer.headers}


def _forwarded_headers(headers: Mapping[str, str] | Headers, client_address: str) -> dict[str, str]:
    kept = {name: headers[name] for name in REQUEST_HEADERS if name in headers}
    trace = current_trace().headers()
    return {"Accept-Encoding": "identity", **kept, **trace, "X-Forwarded-For": client_address}
