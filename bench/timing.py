"""Readings of one run: the median time of a call, or any other number."""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.figures import Series


@dataclass(frozen=True)
class Reading:
    """One number a run."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:.1f}"


def series_of(unit: str, readings: Iterable[Reading]) -> Series:
    """The readings of all runs."""
    return Series(unit, tuple(reading.value for reading in readings))


def median_seconds(repeats: int, call: Callable[[], object]) -> float:
    """The median time of `call`, made so often, one after the other."""
    times = []
    for _ in range(repeats):
        began = time.monotonic()
        call()
        times.append(time.monotonic() - began)
    return statistics.median(times)
