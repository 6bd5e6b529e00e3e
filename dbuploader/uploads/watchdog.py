"""Ending a process whose load makes no progress, by a clock that stops while the process does."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

_EX_SOFTWARE = 70
_FROZEN_SECONDS = 60.0


class ProcessClock:
    """Monotonic seconds for limits that a load must not reach only because its process was frozen.

    A consumer asks for the time about every half second, unless a server keeps it waiting. Where
    nobody has asked for longer than a minute, the process was stopped, or its machine paused.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = clock()
        self._frozen = 0.0

    def __call__(self) -> float:
        """The time now."""
        with self._lock:
            now = self._clock()
            since = now - self._asked
            self._asked = now
            if since > _FROZEN_SECONDS:
                self._frozen += since
            return now - self._frozen


process_time = ProcessClock()
"""The clock of this process."""


def end_process() -> NoReturn:
    """End at once, as a kill would: a load that hangs can't be asked to stop."""
    os._exit(_EX_SOFTWARE)


class Watchdog:
    """Ends the process when a load makes no progress for `seconds`.

    The load was counted as an attempt before it started, so a file that always hangs its loader
    ends as one that always kills it.
    """

    def __init__(
        self,
        seconds: float,
        end: Callable[[], None] = end_process,
        clock: Callable[[], float] = process_time,
    ) -> None:
        self._seconds = seconds
        self._end = end
        self._clock = clock
        self._lock = threading.Lock()
        self._last: float | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the block."""
        with self._lock:
            self._last = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._last = None

    @property
    def idle(self) -> bool:
        """Whether nothing is watched."""
        with self._lock:
            return self._last is None

    def touch(self) -> None:
        """Report progress in what is watched, if anything is."""
        with self._lock:
            if self._last is not None:
                self._last = self._clock()

    def check(self) -> None:
        """End the process if what is watched has made no progress for too long."""
        with self._lock:
            stalled = self._last is not None and self._clock() - self._last > self._seconds
        if stalled:
            log.critical("the load makes no progress: ending the process", seconds=self._seconds)
            self._end()
