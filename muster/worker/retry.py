"""How long to wait before something is tried again, and when to give up."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from muster.weather import Unavailable
from muster.worker.shutdown import Stopped

T = TypeVar("T")

_MAX_DOUBLINGS = 32
"""Enough to reach any `longest`; a timedelta overflows at about 2**46 seconds."""


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff: the waits are `first`, twice that, … up to `longest`.

    With a `limit`, attempts end once the waits between them add up to it. It counts waits, not the
    time since the first attempt: while the process itself was down, nothing was tried.
    """

    first: timedelta
    longest: timedelta
    limit: timedelta | None = None

    def wait_after(self, attempt: int) -> timedelta:
        """The wait after the `attempt`th attempt, counted from 1."""
        doublings = min(attempt - 1, _MAX_DOUBLINGS)
        return min(self.first * (1 << doublings), self.longest)

    def allows_another(self, attempt: int) -> bool:
        """Whether there is another attempt after the `attempt`th."""
        if self.limit is None:
            return True
        waited = sum((self.wait_after(earlier) for earlier in range(1, attempt)), timedelta())
        return waited < self.limit

    def call(
        self,
        work: Callable[[], T],
        stop: threading.Event,
        before_wait: Callable[[Unavailable], None],
    ) -> T:
        """What `work` returns; tries again while it raises Unavailable.

        Raises Stopped if an attempt fails once `stop` is set, the last Unavailable at the limit.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return work()
            except Unavailable as error:
                if stop.is_set():
                    raise Stopped from error
                if not self.allows_another(attempt):
                    raise
                before_wait(error)
            stop.wait(self.wait_after(attempt).total_seconds())
