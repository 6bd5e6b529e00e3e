"""Tokens that auth has ended: a user who is disabled or signed out is out everywhere in 5 s."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests

from muster.http.direct import ServiceUrl
from muster.http.tokens import InvalidToken, KeysUnavailable, Principal, TokenVerifier

REFRESH_SECONDS = 2.0
MAX_AGE_SECONDS = 5.0
# A list that took this long to fetch is still valid: a stall of auth shuts nobody out.
_FETCH_SECONDS = 4.0


class RevocationsUnavailable(Exception):
    """Auth does not say which tokens are revoked."""


@dataclass(frozen=True)
class Revoked:
    """What auth reports.

    `users` maps a user's id to the minimum generation of tokens that still holds, None if no token
    of the user does. `tokens` are the ids of single tokens, which were signed out.
    """

    users: Mapping[str, int | None]
    tokens: frozenset[str]

    def holds(self, principal: Principal) -> bool:
        """Whether the token of `principal` is not among them."""
        minimum = self.users.get(principal.id, 0)
        if minimum is None or principal.generation < minimum:
            return False
        return principal.token_id not in self.tokens


@dataclass(frozen=True)
class _Listing:
    fetched_at: float
    revoked: Revoked


class Revocations:
    """Auth's list, asked for again when it is older than 2 seconds.

    A list is used until it is 5 seconds old, counted from before it was asked for, while auth does
    not answer. After that no token is believed: letting a disabled user go on is worse than turning
    everybody away for as long as auth is down, when nobody could log in anyway.
    """

    def __init__(
        self, fetch: Callable[[], Revoked], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._refreshing = threading.Lock()
        self._tries = 0
        self._listing: _Listing | None = None
        self._ended_here: dict[str, float] = {}

    def check(self, principal: Principal) -> None:
        """Raises InvalidToken for a revoked token, KeysUnavailable when that can't be known."""
        if principal.token_id in self._ended_here or not self._current().holds(principal):
            raise InvalidToken("the token was revoked")

    def end(self, principal: Principal) -> None:
        """Take the token, which auth has just ended, for revoked before the next list says so."""
        now = self._clock()
        # A list that is still in use then was asked for after auth ended the token.
        self._ended_here = {
            **{token: until for token, until in self._ended_here.copy().items() if until >= now},
            principal.token_id: now + MAX_AGE_SECONDS,
        }

    def _current(self) -> Revoked:
        tries = self._tries
        if self._is_older_than(REFRESH_SECONDS):
            # One thread asks; the others go on with what is there unless it is too old for them.
            must_wait = self._is_older_than(MAX_AGE_SECONDS)
            if self._refreshing.acquire(blocking=must_wait):
                try:
                    # Whoever waited for a try, even a failed one, does not make all wait again.
                    if self._tries == tries:
                        self._refresh()
                finally:
                    self._refreshing.release()
        listing = self._listing
        if listing is None or self._clock() - listing.fetched_at > MAX_AGE_SECONDS:
            raise KeysUnavailable
        return listing.revoked

    def _refresh(self) -> None:
        asked_at = self._clock()
        with suppress(RevocationsUnavailable):
            self._listing = _Listing(asked_at, self._fetch())
        self._tries += 1

    def _is_older_than(self, seconds: float) -> bool:
        return self._listing is None or self._clock() - self._listing.fetched_at > seconds


class TokenCheck:
    """Says who a token stands for, while auth has not ended it."""

    def __init__(self, verifier: TokenVerifier, revocations: Revocations) -> None:
        self._verifier = verifier
        self._revocations = revocations

    def verify(self, token: str) -> Principal:
        """Who the token stands for; raises InvalidToken or KeysUnavailable."""
        principal = self._verifier.verify(token)
        self._revocations.check(principal)
        return principal

    def end(self, principal: Principal) -> None:
        """Refuse the token of `principal`, which auth has ended, from here on."""
        self._revocations.end(principal)

    def check(self) -> None:
        """Return if auth's public keys can be had, or were; raises KeysUnavailable."""
        self._verifier.check()


def check_with(auth_url: str) -> TokenCheck:
    """What checks tokens by the keys and the revocations of the auth service at `auth_url`."""
    return TokenCheck(TokenVerifier(auth_url), Revocations(fetch_from(auth_url)))


def fetch_from(auth_url: str) -> Callable[[], Revoked]:
    """What asks the auth service for its list; raises RevocationsUnavailable."""
    auth = ServiceUrl.parse(auth_url)
    session = auth.session()

    def fetch() -> Revoked:
        try:
            answer = session.get(f"{auth.base}/v1/revocations", timeout=(1, _FETCH_SECONDS))
            answer.raise_for_status()
            document = answer.json()
            # An auth of the version before has no tokens: an upgrade begins with either service.
            return Revoked(document["revocations"], frozenset(document.get("tokens", ())))
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise RevocationsUnavailable(str(error)) from error

    return fetch
