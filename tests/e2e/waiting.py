"""Waiting for what a suite does, on a machine that may be busy with much else."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 300.0
_PAUSE_SECONDS = 0.1


def wait_until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the condition holds; asked seldom enough for one that asks the suite."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        time.sleep(_PAUSE_SECONDS)
