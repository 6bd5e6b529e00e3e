"""Access keys: exchanged for tokens, which stand in for them from there on.

Auth exchanges a key for a token of 60 s. A request with a key is answered, and forwarded, as if it
had come with that token: no other service is ever sent a key, and none would take one.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cachetools import TLRUCache
from flask import Flask, g, has_request_context, request

from gateway.errors import UpstreamUnavailable
from gateway.proxy.upstream import Upstream, UpstreamResponse
from muster.http.access_keys import hash_of, is_key, is_well_formed
from muster.http.problems import Problem, unavailable
from muster.http.tokens import InvalidToken, KeysUnavailable, Tokens, bearer_token

_ROUTE = "/internal/key-token"
_MOST_KEPT = 4096
# Of the 60 that a token lives: what is forwarded with it must arrive in time.
_KEPT_SECONDS = 45.0
# A program that goes on with a key that was revoked costs auth a question in so many seconds.
_REFUSED_SECONDS = 5.0


@dataclass(frozen=True)
class _Exchange:
    """What auth gave for a key: a token, or None where it refused."""

    token: str | None

    @property
    def seconds(self) -> float:
        """How long it is kept."""
        return _REFUSED_SECONDS if self.token is None else _KEPT_SECONDS


class KeyExchange:
    """Exchanges access keys for tokens; keeps at most 4,096 exchanges, by SHA-256 of the key.

    A token that is kept is checked anew each time: a key that was revoked ends as a token that was
    signed out does, within 5 s.
    """

    def __init__(
        self, tokens: Tokens, auth: Upstream, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._auth = auth
        self._lock = threading.Lock()
        self._clock = clock
        self._kept: TLRUCache[str, _Exchange] = TLRUCache(
            _MOST_KEPT, ttu=lambda _key, exchange, now: now + exchange.seconds, timer=clock
        )

    def exchange(self, key: str) -> str:
        """A token for the key, which was checked just now.

        Raises InvalidToken, KeysUnavailable, and Problem 429 after too many invalid keys.
        """
        if not is_well_formed(key):
            raise InvalidToken("no key has this form")
        name = hash_of(key)
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None:
            try:
                return self._checked(kept)
            except InvalidToken:
                if kept.token is None:
                    raise
                # The key was revoked; or its owner may do something else now, and the key goes on.
        return self._checked(self._ask(key, name))

    def _checked(self, exchange: _Exchange) -> str:
        if exchange.token is None:
            raise InvalidToken("auth refused the key")
        self._tokens.verify(exchange.token)
        return exchange.token

    def _ask(self, key: str, name: str) -> _Exchange:
        try:
            answer = self._auth.send(
                "GET",
                _ROUTE,
                headers={"Authorization": f"Bearer {key}"},
                body=b"",
                client_address=(request.remote_addr or "") if has_request_context() else "",
            )
        except UpstreamUnavailable as error:
            raise KeysUnavailable from error
        exchange = _exchange_in(answer)
        with self._lock:
            self._kept[name] = exchange
        return exchange


def _exchange_in(answer: UpstreamResponse) -> _Exchange:
    match answer.status:
        case 200:
            return _Exchange(json.loads(answer.body)["access_token"])
        case 401:
            return _Exchange(None)
        case 429:
            raise Problem(
                "too-many-attempts",
                "Too many access keys from this address were not valid. Try again later.",
                headers={"Retry-After": "60", **_limits_in(answer)},
            )
    raise KeysUnavailable


def _limits_in(answer: UpstreamResponse) -> dict[str, str]:
    said = ("Retry-After", "RateLimit", "RateLimit-Policy")
    return {name: answer.headers[name] for name in said if name in answer.headers}


def install_access_keys(app: Flask, keys: KeyExchange) -> None:
    """Have `app` take a token for the access key of a request, instead of it.

    Before the session's cookie is looked at, which may not hold a key. A key that is not valid
    stays: where a token is needed, it is refused as one.
    """

    def take_token_for_key() -> None:
        key = bearer_token()
        if not is_key(key):
            return
        try:
            token = keys.exchange(key)
        except InvalidToken:
            return
        except KeysUnavailable:
            raise unavailable("The auth service") from None
        # A long answer may outlive the token.
        g.verify_again = partial(keys.exchange, key)
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    app.before_request(take_token_for_key)
