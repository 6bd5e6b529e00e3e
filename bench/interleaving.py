"""Has contestants take turns: what disturbs the machine for a while disturbs all of them."""

import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def interleaved(runs: int, contestants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each of them returned, in the order of the runs: A B C, A B C, and so on.

    A contestant makes its own preparations, untimed, and returns what it measured. Each result is
    told on the standard error, for who waits.
    """
    results: dict[str, list[T]] = {name: [] for name in contestants}
    for run in range(1, runs + 1):
        for name, contestant in contestants.items():
            result = contestant()
            results[name].append(result)
            print(f"  {run}/{runs} {name}: {result}", file=sys.stderr, flush=True)
    return results
