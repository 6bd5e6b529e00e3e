"""Whether a worker's loop still runs."""

import time
from collections.abc import Callable

_LONGEST_SILENCE = 60.0
"""Seconds. A worker beats about every second, unless a broker or a database keeps it waiting."""


class Stalled(Exception):
    """The loop has not run for too long."""


class Heartbeat:
    """Beaten by the loop, checked by the health routes. `clock` gives seconds, of any origin."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Report that the loop runs."""
        self._last = self._clock()

    def check(self) -> None:
        """Return if it beat lately; raises Stalled."""
        silence = self._clock() - self._last
        if silence > _LONGEST_SILENCE:
            raise Stalled(f"no heartbeat for {silence:.0f} seconds")
