"""What a consumer does besides: it ticks, even while it waits for another of its threads."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")

TICK_SECONDS = 0.5
"""How long a consumer may be busy before it checks again whether a tick is due."""


class Ticker:
    """Calls `tick` about twice a second, when it is asked often enough."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._next = 0.0

    def tick_if_due(self) -> None:
        """Tick, unless that was a moment ago."""
        if time.monotonic() >= self._next:
            self._tick()
            self._next = time.monotonic() + TICK_SECONDS

    def await_result(self, future: "Future[T]") -> T:
        """The outcome of `future`, ticking until it is there."""
        while not wait([future], TICK_SECONDS).done:
            self.tick_if_due()
        return future.result()
