"""The hires by quarter as the page shows them: shaded by department, and some rows at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    rows: Sequence[dict[str, Any]], department: str | None, first: str | None, count: int
) -> RowWindow:
    """At most `count` rows, those of one department if it is given, from the `first` on."""
    if department is not None:
        rows = [row for row in rows if row["department"] == department]
    start = int(first) if first and first.isascii() and first.isdecimal() else 0
    start = min(start, max(len(rows) - 1, 0))
    return RowWindow(
        rows=rows[start : start + count],
        first=start,
        total=len(rows),
        before=max(start - count, 0) if start else None,
        after=start + count if start + count < len(rows) else None,
    )
