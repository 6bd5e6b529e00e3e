"""Requests that are repeated until they are answered, with ever longer pauses in between.

What is sent is safe to repeat: it reads, it says what shall be, or it has an idempotency key. What
isn't is sent once.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from muster_client.errors import MusterError, NotMuster, Refused, Unreachable
from muster_client.models import Json

Answer = TypeVar("Answer")

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TIMEOUT = (10.0, 120.0)
_CHUNK = 256 * 1024
# 408 and 429: not now. 502, 503 and 504: the suite, or a proxy before it, is not there.
_TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
# The first try with the key is still in progress, or was cut; the body was cut.
_TRY_AGAIN_KINDS = frozenset({"append-in-flight", "idempotency-key-in-flight", "incomplete-body"})
_PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class RetryPolicy:
    """How long a request is repeated.

    It is given up `seconds` after the first failure. The pauses double from `first` to `longest`,
    each shortened at random by up to half, so that many clients don't come back at once; a longer
    `Retry-After` is obeyed. `told` is called before each pause with its length and the reason.
    """

    seconds: float = 300.0
    first: float = 0.25
    longest: float = 15.0
    told: Callable[[float, str], None] = lambda _seconds, _reason: None

    def pauses(self) -> Iterator[float]:
        """The length of each pause, without end."""
        pause = self.first
        while True:
            yield pause * random.uniform(0.5, 1)  # noqa: S311 - not a secret
            pause = min(2 * pause, self.longest)


class Body(Protocol):
    """What a request sends; it can be sent again."""

    def begin(self) -> BinaryIO | bytes:
        """The bytes from the start, in a file with a length."""


class Transport:
    """A suite at a URL, and who asks it. Safe to use from one thread."""

    def __init__(self, url: str, token: str | None, retry: RetryPolicy) -> None:
        self.url = url.rstrip("/")
        self.retry = retry
        self._session = requests.Session()
        # The machine's proxy, if it names one, is not for calls to itself.
        self._session.trust_env = urlsplit(url).hostname not in _LOOPBACK
        self._session.auth = _Bearer(token)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        repeatable: bool = True,
        **options: Any,
    ) -> requests.Response:
        """The answer, of status 200 to 299. Raises Refused, Unreachable or NotMuster."""
        return self._repeat(lambda: self._try(method, path, body, options), repeatable)

    def save(self, path: str, target: BinaryIO, headers: Mapping[str, str], params: Json) -> None:
        """Write what is at `path` to `target`, from its position on. Raises as `call`."""
        start = target.tell()

        def fetch() -> None:
            options = {"headers": headers, "params": params, "stream": True}
            with self._try("GET", path, None, options) as response:
                target.seek(start)
                target.truncate()
                for chunk in response.iter_content(_CHUNK):
                    target.write(chunk)

        self._repeat(fetch, True)

    def repeat(self, attempt: Callable[[Callable[..., requests.Response]], Answer]) -> Answer:
        """What `attempt` returns, repeated while it fails; it is given what makes one request.

        For requests of which a repeat is another one. Raises as `call`.
        """
        return self._repeat(lambda: attempt(self._once), True)

    def close(self) -> None:
        """Give up the connections."""
        self._session.close()

    def _once(
        self, method: str, path: str, body: Body | None = None, **options: Any
    ) -> requests.Response:
        return self._try(method, path, body, options)

    def _repeat(self, attempt: Callable[[], Answer], repeatable: bool) -> Answer:
        deadline: float | None = None
        for pause in self.retry.pauses():
            try:
                return attempt()
            except requests.RequestException as error:
                failure: MusterError = self._unreachable(error)
                wait = pause
            except Refused as refusal:
                if not is_passing(refusal):
                    raise
                failure, wait = refusal, max(pause, refusal.retry_after or 0.0)
            deadline = deadline or time.monotonic() + self.retry.seconds
            if not repeatable or time.monotonic() + wait > deadline:
                raise failure
            self.retry.told(wait, str(failure))
            time.sleep(wait)
        raise AssertionError("pauses have no end")

    def _try(
        self, method: str, path: str, body: Body | None, options: Mapping[str, Any]
    ) -> requests.Response:
        response = self._session.request(
            method,
            self.url + path,
            data=None if body is None else body.begin(),
            timeout=_TIMEOUT,
            allow_redirects=False,
            **options,
        )
        if not _is_whole(response):
            raise requests.ConnectionError("the answer broke off")
        if not response.ok or response.is_redirect:
            raise self._refusal(response)
        return response

    def _unreachable(self, error: requests.RequestException) -> Unreachable:
        return Unreachable(f"{self.url} does not answer: {_innermost(error)}")

    def _refusal(self, response: requests.Response) -> MusterError:
        retry_after = _seconds(response.headers.get("Retry-After"))
        if response.headers.get("Content-Type", "").partition(";")[0] == _PROBLEM:
            return Refused.from_problem(response.json(), retry_after)
        status, reason = response.status_code, response.reason
        if status in _TRY_AGAIN:
            # A proxy before the suite has errors of its own.
            detail = f"{self.url} answers {status} {reason}"
            return Refused(status, "", reason, detail, retry_after=retry_after)
        where = response.headers.get("Location")
        sent_on = f" and sends on to {where}" if where else ""
        return NotMuster(f"{self.url} answers {status} {reason}{sent_on}: check the address.")


class _Bearer(AuthBase):
    """Sends the token, and nothing that a file .netrc has."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _is_whole(response: requests.Response) -> bool:
    """Whether its headers came to their end: http.client takes what was cut for all of them."""
    length = response.headers.get("Content-Length", "")
    is_framed = length.isdecimal() or response.headers.get("Transfer-Encoding") == "chunked"
    return is_framed or response.status_code in {204, 304}


def is_passing(refusal: Refused) -> bool:
    """Whether the same request may succeed later."""
    return refusal.status in _TRY_AGAIN or refusal.kind in _TRY_AGAIN_KINDS


def _seconds(retry_after: str | None) -> float | None:
    """The seconds that `Retry-After` says, as a number or as a date (RFC 9110, section 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _innermost(error: BaseException) -> str:
    """What went wrong at the bottom, such as "Connection refused", not what was made of it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
