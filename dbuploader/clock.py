"""The time of this process, which stands still while the process does."""

import threading
import time
from collections.abc import Callable

_FROZEN_SECONDS = 60.0


class ProcessClock:
    """Seconds, of any origin, for limits that a load must not meet because its process was frozen.

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
"""The one of this process."""
