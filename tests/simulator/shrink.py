"""Making a failing history simple: fewer deeds and fewer deviations, as long as it fails alike.

This is delta debugging (Zeller's ddmin) over one list: what people do, and where the course
deviates from the quiet one. To leave one out never makes a history invalid, only another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.simulator.workload import Deed, Plan

Part = Deed | tuple[str, int]


@dataclass(frozen=True)
class Failure:
    """A history that breaks a promise: its plan, and the deviations that it took."""

    plan: Plan
    deviations: dict[str, int]

    def parts(self) -> list[Part]:
        """All that can be left out."""
        return [*self.plan.deeds, *self.deviations.items()]

    def of_parts(self, parts: Sequence[Part]) -> "Failure":
        """The history of some of the parts."""
        deeds = tuple(part for part in parts if isinstance(part, Deed))
        deviations = dict(part for part in parts if not isinstance(part, Deed))
        return Failure(replace(self.plan, deeds=deeds), deviations)


def shrink(failure: Failure, fails: Callable[[Failure], bool], most_tries: int = 400) -> Failure:
    """The simplest that was found in so many tries."""
    parts, share = failure.parts(), 2
    tries = 0
    while len(parts) >= 1 and tries < most_tries:
        size = max(1, len(parts) // share)
        for start in range(0, len(parts), size):
            fewer = parts[:start] + parts[start + size :]
            tries += 1
            if fails(failure.of_parts(fewer)):
                parts, share = fewer, max(2, share - 1)
                break
            if tries >= most_tries:
                break
        else:
            if size == 1:
                break
            share = min(share * 2, len(parts))
    return failure.of_parts(parts)
