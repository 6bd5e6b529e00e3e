"""What a measurement found: series of values, compared with an alternative and held to a target."""

import statistics
from dataclasses import dataclass
from enum import StrEnum


class Comparison(StrEnum):
    """Which number a figure's target is for."""

    VALUE = "value"
    RATIO = "ratio"
    TIMES = "times"
    MORE = "more"


@dataclass(frozen=True)
class Series:
    """One value a run, in the order of the runs, with their unit: `s`, `MiB`, `rows/s` …"""

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return f"{rounded(self.median)} {self.unit}"
        low, high = rounded(min(self.values)), rounded(max(self.values))
        return f"{rounded(self.median)} {self.unit} ({low} to {high})"


@dataclass(frozen=True)
class Target:
    """A bound, itself allowed, that the figure keeps on one side of."""

    bound: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Figure:
    """Ours, beside an alternative of the same runs if there is one, and what is wanted of them."""

    title: str
    ours: Series
    alternative: Series | None = None
    comparison: Comparison = Comparison.VALUE
    target: Target | None = None

    @property
    def result(self) -> float:
        """The number that the target is for, from the medians.

        The ratio is ours by the alternative, `times` the inverse, `more` the difference.
        Raises ValueError where it needs an alternative and there is none.
        """
        ours = self.ours.median
        if self.comparison is Comparison.VALUE:
            return ours
        if self.alternative is None:
            raise ValueError(f"nothing to compare {self.title!r} with")
        other = self.alternative.median
        if self.comparison is Comparison.MORE:
            return ours - other
        return ours / other if self.comparison is Comparison.RATIO else other / ours

    @property
    def met(self) -> bool | None:
        """Whether the target is met as it stands, unrounded; None without a target."""
        return None if self.target is None else self.target.met_by(self.result)


def at_most(bound: float) -> Target:
    """The target of a figure that must not be above `bound`."""
    return Target(bound)


def at_least(bound: float) -> Target:
    """The target of a figure that must not be below `bound`."""
    return Target(bound, at_least=True)


def rounded(value: float) -> str:
    """A number to be read: about three digits, or all of a whole part that has more."""
    size = abs(value)
    return f"{value:,.{sum(size < bound for bound in (100, 10, 1))}f}"
