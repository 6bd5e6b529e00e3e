"""Waiting for what a suite does, on a machine that may be busy with much else."""

from collections.abc import Callable

from tests.waiting import eventually

DEADLINE_SECONDS = 300.0


def wait_until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the condition holds; asked seldom enough for one that asks the suite."""
    eventually(condition, seconds, pause=0.1)
