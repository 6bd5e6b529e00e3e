"""The hires by quarter as the page shows them: shaded, as lines over time, some rows at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TREND_WIDTH, TREND_HEIGHT = 240, 36
_SHADES = 6
_QUARTERS = ("q1", "q2", "q3", "q4")


@dataclass(frozen=True)
class HeatmapRow:
    """The hires of a department in each quarter, with the shade of each, 0 to 6, and in all."""

    department: str
    quarters: list[tuple[int, int]]
    total: int


@dataclass(frozen=True)
class RowWindow:
    """Some of the rows of the answer: the first of them, how many there are, what is before."""

    rows: Sequence[dict[str, Any]]
    first: int
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class TrendLine:
    """The hires of a department in each of the quarters, and the line through them.

    `points` are those of an SVG polyline in a box of TREND_WIDTH by TREND_HEIGHT.
    """

    department: str
    hired: list[int]
    points: str


@dataclass(frozen=True)
class Trend:
    """Lines of all departments over the same quarters, on one scale, whose top is `most` hires."""

    quarters: list[str]
    lines: list[TrendLine]
    most: int


def trend(answers: Mapping[int, Sequence[dict[str, Any]]]) -> Trend:
    """The hires of each department over the years whose rows these are, by name.

    They end with the last quarter in which anybody was hired.
    """
    years = sorted(answers)
    hired: dict[str, list[int]] = {}
    for place, year in enumerate(years):
        for row in answers[year]:
            counts = hired.setdefault(row["department"], [0] * (4 * len(years)))
            for quarter, name in enumerate(_QUARTERS):
                counts[4 * place + quarter] += row[name]
    ends = 1 + max((_last_hired(counts) for counts in hired.values()), default=-1)
    hired = {department: counts[:ends] for department, counts in hired.items()}
    most = max((max(counts) for counts in hired.values()), default=0)
    return Trend(
        quarters=[f"Q{quarter} {year}" for year in years for quarter in range(1, 5)][:ends],
        lines=[
            TrendLine(department, hired[department], _points(hired[department], most))
            for department in sorted(hired, key=str.casefold)
        ],
        most=most,
    )


def _last_hired(counts: Sequence[int]) -> int:
    return max(place for place, number in enumerate(counts) if number)


def _points(counts: Sequence[int], most: int) -> str:
    step = TREND_WIDTH / max(len(counts) - 1, 1)
    heights = (TREND_HEIGHT - 1 - (TREND_HEIGHT - 2) * count / most for count in counts)
    return " ".join(f"{step * place:.1f},{height:.1f}" for place, height in enumerate(heights))


def heatmap(rows: Sequence[dict[str, Any]]) -> list[HeatmapRow]:
    """The hires of each department over all its jobs, in the order of `rows`."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        quarters = sums.setdefault(row["department"], [0, 0, 0, 0])
        for index, quarter in enumerate(_QUARTERS):
            quarters[index] += row[quarter]
    most = max((max(quarters) for quarters in sums.values()), default=0)
    return [
        HeatmapRow(department, [(hired, _shade(hired, most)) for hired in quarters], sum(quarters))
        for department, quarters in sums.items()
    ]


def _shade(hired: int, most: int) -> int:
    # Rounded up: a department that hired anybody has a shade.
    return -(-hired * _SHADES // most)


def row_window(
    rows: Sequence[dict[str, Any]],
    department: str | None,
    first: str | None,
    count: int,
    job: str = "",
) -> RowWindow:
    """At most `count` rows from the `first` on: of one department if it is given, and of jobs.

    These have the text `job` in their name, whatever the case.
    """
    if department is not None:
        rows = [row for row in rows if row["department"] == department]
    rows = [row for row in rows if job.casefold() in row["job"].casefold()]
    start = int(first) if first and first.isascii() and first.isdecimal() else 0
    start = min(start, max(len(rows) - 1, 0))
    return RowWindow(
        rows=rows[start : start + count],
        first=start,
        total=len(rows),
        before=max(start - count, 0) if start else None,
        after=start + count if start + count < len(rows) else None,
    )
