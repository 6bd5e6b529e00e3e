"""Tokens that auth has revoked: a disabled user is out within 5 seconds."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests

from muster.tokens import InvalidToken, KeysUnavailable, Principal, TokenVerifier

REFRESH_SECONDS = 2.0
MAX_AGE_SECONDS = 5.0
# An answer that took so long makes a list that still holds: a stall of auth shuts nobody out.
_FETCH_SECONDS = 4.0

Revoked = Mapping[str, int | None]
"""User id to the least generation of tokens that still holds; None if no token of the user does."""


class RevocationsUnavailable(Exception):
    """Auth does not say which tokens are revoked."""


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

    def check(self, principal: Principal) -> None:
        """Raises InvalidToken for a revoked token, KeysUnavailable when that can't be known."""
        revoked = self._current()
        if principal.id not in revoked:
            return
        least = revoked[principal.id]
        if least is None or principal.generation < least:
            raise InvalidToken("the token was revoked")

    def _current(self) -> Revoked:
        tries = self._tries
        if self._is_older_than(REFRESH_SECONDS):
            # One thread asks; the others go on with what is there unless it is too old for them.
            must_wait = self._is_older_than(MAX_AGE_SECONDS)
            if self._refreshing.acquire(blocking=must_wait):
                try:
                    # Who waited for a try, even one that failed, does not make all wait for more.
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


def fetch_from(auth_url: str) -> Callable[[], Revoked]:
    """What asks the auth service for its list; raises RevocationsUnavailable."""
    session = requests.Session()
    session.trust_env = False

    def fetch() -> Revoked:
        try:
            answer = session.get(f"{auth_url}/v1/revocations", timeout=(1, _FETCH_SECONDS))
            answer.raise_for_status()
            revoked: Revoked = answer.json()["revocations"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise RevocationsUnavailable(str(error)) from error
        return revoked

    return fetch


def token_check(verifier: TokenVerifier, revocations: Revocations) -> Callable[[str], Principal]:
    """What says who a token stands for; raises InvalidToken or KeysUnavailable."""

    def verify(token: str) -> Principal:
        principal = verifier.verify(token)
        revocations.check(principal)
        return principal

    return verify
