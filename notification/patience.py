"""How long to wait before the next attempt, and when to stop trying."""

from datetime import timedelta

LONGEST_WAIT = timedelta(minutes=5)
PATIENCE = timedelta(days=3)
"""A mail server that is down over a weekend loses nothing."""


def wait_after(attempt: int) -> timedelta:
    """The wait after the `attempt`th attempt, from 1: 1, 2, 4 … seconds, at most 5 minutes."""
    doublings = min(attempt - 1, 16)
    return min(timedelta(seconds=2**doublings), LONGEST_WAIT)


def is_worth_another(attempt: int) -> bool:
    """Whether the waits up to the `attempt`th attempt are less than 3 days in all.

    Counted in waits rather than since the upload: while this service itself was down nobody waited.
    """
    waited = sum((wait_after(earlier) for earlier in range(1, attempt)), timedelta())
    return waited < PATIENCE
