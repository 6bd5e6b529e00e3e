"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0


def eventually(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fails the test when it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)
