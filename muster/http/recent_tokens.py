"""What was found out about tokens a moment ago."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

RECENT_SECONDS = 30.0
_MOST = 4096


class RecentTokens(Generic[T]):
    """Tokens that were found good, with whom they stand for; whether one is revoked it can't say.

    To look a token up costs a hundredth of what its signature does. None is kept beyond its end,
    nor for longer than RECENT_SECONDS, so that a key that auth takes back counts hardly longer.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, T]] = {}

    def find(self, token: str) -> T | None:
        """What was kept of the token, unless its time is over."""
        kept = self._kept.get(token)
        if kept is None:
            return None
        until, found = kept
        return found if self._clock() < until else None

    def keep(self, token: str, found: T, expires_at: float) -> None:
        """Keep it, up to its end in seconds since 1970."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[token] = (min(expires_at, self._clock() + RECENT_SECONDS), found)
