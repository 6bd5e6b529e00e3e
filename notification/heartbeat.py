"""Whether the consumer still goes round."""

import time

_LONGEST_SILENCE = 60.0
"""Seconds. It beats about every second, unless a broker keeps it waiting."""


class Heartbeat:
    """Beaten by the consuming thread, checked by the health routes."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def beat(self) -> None:
        """Show that the consumer is alive."""
        self._last = time.monotonic()

    def check(self) -> None:
        """Return if it beat lately; raises RuntimeError."""
        silence = time.monotonic() - self._last
        if silence > _LONGEST_SILENCE:
            raise RuntimeError(f"the consumer has not been heard of for {silence:.0f} seconds")
