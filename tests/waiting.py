"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0


def eventually(
    condition: Callable[[], object], seconds: float = DEADLINE_SECONDS, pause: float = 0.01
) -> None:
    """Return once `condition` holds, asked every `pause` seconds; fails if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(pause)
