"""The services behind the gateway, over HTTP: a request goes on as it came, and its answer back."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.util import Retry
from werkzeug.datastructures import Headers

from gateway.errors import UpstreamUnavailable
from muster.observability.tracing import current_trace

log = structlog.get_logger(__name__)

REQUEST_HEADERS = ("Authorization", "Accept", "Content-Type", "If-None-Match", "Idempotency-Key")
RESPONSE_HEADERS = (
    "Content-Type",
    "ETag",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "Cache-Control",
    "Vary",
)
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 60.0
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


class _Adapter(HTTPAdapter):
    """Notices within seconds that the other end is gone, also if nothing says so."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As requests calls it."""
        socket_options = [*HTTPConnection.default_socket_options, *_SOCKET_OPTIONS]
        super().init_poolmanager(*args, socket_options=socket_options, **options)


class Upstream:
    """One service at `url`; safe to share between threads, of which `pool` keep a connection."""

    def __init__(self, service: str, url: str, pool: int) -> None:
        self.service = service
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Only what was certainly not received, or changes nothing, is sent again.
        retry = Retry(
            2,
            redirect=0,
            status=0,
            other=0,
            allowed_methods=("GET", "HEAD"),
            respect_retry_after_header=False,
        )
        adapter = _Adapter(pool_maxsize=pool, max_retries=retry)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

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
        try:
            answer = self._session.request(
                method,
                f"{self._url}{path}{'?' if query else ''}{query}",
                headers=_forwarded_headers(headers, client_address),
                data=body,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            log.warning("no answer", upstream=self.service, error=repr(error))
            raise UpstreamUnavailable(self.service) from error
        kept = {name: answer.headers[name] for name in RESPONSE_HEADERS if name in answer.headers}
        return UpstreamResponse(answer.status_code, kept, answer.content)

    def check(self) -> None:
        """Return if the service can be reached; raises UpstreamUnavailable."""
        try:
            timeout = (_CONNECT_SECONDS, _CONNECT_SECONDS)
            self._session.get(f"{self._url}/healthz", timeout=timeout).raise_for_status()
        except requests.RequestException as error:
            raise UpstreamUnavailable(self.service) from error

    def close(self) -> None:
        """Give up the connections."""
        self._session.close()


def _forwarded_headers(headers: Mapping[str, str] | Headers, client_address: str) -> dict[str, str]:
    kept = {name: headers[name] for name in REQUEST_HEADERS if name in headers}
    trace = current_trace().headers()
    return {"Accept-Encoding": "identity", **kept, **trace, "X-Forwarded-For": client_address}
