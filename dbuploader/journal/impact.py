"""Impact: what uploads change in the answers to the two hiring questions.

These ask how many each department hired in each quarter of a year, and which departments hired more
in a year than the mean over all departments. Both count in the summary of hires, so that what an
upload changes there is what it changes in the answers, and only numbers of the years that it
touches are read; of all years, where it changes how many departments there are.

Impact is told under the lock of the journal's head, which every writer takes: what is read then is
what the upload's own commit follows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nsmallest
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, cast, func, select

from dbuploader.arrow import to_rows
from dbuploader.db.schema import former_rows
from dbuploader.journal.changes import (
    INSERTED,
    REMOVED,
    UPDATED,
    ChangeRecorder,
    Head,
    find_head,
    lock_head,
    unpack_rows,
)
from dbuploader.merge.summary import Difference, HiresDifferences
from muster.contracts.tables import Table
from muster.contracts.tables.sql import hires_summary, sql_table
from muster.contracts.uploads import HiresImpact, Impact, MeanImpact

MOST_TOLD = 20
"""How many numbers, and how many departments, an impact names; it counts all."""
MOST_DEPARTMENTS = 20_000
"""Of how many departments it is told who is above the mean: they are compared in memory."""

_DEPARTMENTS = sql_table("departments")
# In memory, each is a few Python objects.
_NUMBERS_AT_ONCE = 50_000
_QUARTERS = 4
_MOST_HELD = 1_000

_COUNT_DEPARTMENTS = select(func.count()).select_from(_DEPARTMENTS)
_FIND_NAMES = select(_DEPARTMENTS.c.id, _DEPARTMENTS.c.department).where(
    _DEPARTMENTS.c.id.in_(bindparam("ids", expanding=True))
)
_FIND_FORMER_ROWS = select(former_rows.c.content).where(
    former_rows.c.entry == bindparam("entry"),
    former_rows.c.first_key <= bindparam("last"),
    former_rows.c.last_key >= bindparam("first"),
)
_FIND_YEARS = select(hires_summary.c.year).where(hires_summary.c.hired > 0).distinct()
_NUMBER = (hires_summary.c.year, hires_summary.c.quarter, hires_summary.c.department_id)
_FIND_NUMBERS = (
    # A sum of MySQL is a decimal.
    select(*_NUMBER, cast(func.sum(hires_summary.c.hired), Integer))
    .where(hires_summary.c.year.in_(bindparam("years", expanding=True)))
    .group_by(*_NUMBER)
)


@dataclass(frozen=True)
class Effect:
    """What an upload changes in what the questions count: hires, and how many departments exist.

    `entry` is its id in the journal. A dry run's effect is not `written`.
    """

    entry: str
    hires: HiresDifferences | None = None
    departments: int = 0
    renames: bool = False
    written: bool = True

    @classmethod
    def of(cls, changes: ChangeRecorder, hires: HiresDifferences | None) -> "Effect":
        """The effect of what was done to the rows of a table."""
        keys = changes.keys
        more = _departments_in(changes.table, len(keys[INSERTED]) - len(keys[REMOVED]))
        names = _departments_in(changes.table, len(keys[UPDATED]) + len(keys[REMOVED]))
        return cls(changes.entry, hires, more, names > 0)

    @classmethod
    def tried(
        cls, entry: str, table: Table, inserted: int, hires: HiresDifferences | None
    ) -> "Effect":
        """What a dry run would do that would insert so many rows into the table."""
        return cls(entry, hires, _departments_in(table, inserted), written=False)

    @cached_property
    def numbers(self) -> list[Difference] | None:
        """By how much each number of hires changes, in order; None if too many do."""
        return [] if self.hires is None else self.hires.by_department()


def _departments_in(table: Table, rows: int) -> int:
    return rows if table.name == _DEPARTMENTS.name else 0


def lock_head_and_tell(
    connection: Connection, effects: Sequence[Effect | None]
) -> tuple[Head, list[Impact | None]]:
    """Lock the head of the journal, and tell the impact of each effect as of then: see tell().

    What is read before is read again if another has committed meanwhile, so that all others rarely
    wait for it.
    """
    some = [effect for effect in effects if effect is not None]
    seen = find_head(connection)
    impacts = tell(connection, some)
    head = lock_head(connection)
    if head != seen:
        impacts = tell(connection, some)
    told = iter(impacts)
    return head, [None if effect is None else next(told) for effect in effects]


def tell(connection: Connection, effects: Sequence[Effect]) -> list[Impact | None]:
    """What each of the effects changes, as if one had followed the other.

    The connection sees all that is written of them, and nothing else since the first. None is told
    of an effect that changes too many numbers, or where there are too many departments.
    """
    if all(effect.numbers == [] and not effect.departments for effect in effects):
        return [Impact()] * len(effects)
    comparisons = _compare(connection, effects)
    if comparisons is None:
        return [None] * len(effects)
    return _with_names(connection, comparisons)


def with_holders(impact: Impact | None, of_undo: Impact | None) -> Impact | None:
    """The impact, and the holders of the other; None if it is too much to tell."""
    if impact is None or of_undo is None:
        return impact
    return replace(impact, holders=of_undo.holders, holders_total=of_undo.holders_total)


class _Number(NamedTuple):
    """A number of hires that changes. In their order, the one that changes most is first."""

    rank: int
    year: int
    quarter: int
    department_id: int
    before: int
    after: int


class _Crossing(NamedTuple):
    """A department that comes above the mean, or is above it no longer.

    In their order, the one whose own hires change most is first, then the one with most hires.
    """

    rank: int
    hired: int
    year: int
    department_id: int
    above: bool


class _Year:
    """The hires of a year."""

    def __init__(self, numbers: Iterable[tuple[int, int, int]]) -> None:
        """Each number has its quarter and department before it."""
        self.total = 0
        self.of_departments: dict[int, int] = defaultdict(int)
        self.of_quarters: dict[tuple[int, int], int] = defaultdict(int)
        for quarter, department, hired in numbers:
            self.of_quarters[quarter, department] += hired
            self.of_departments[department] += hired
            self.total += hired

    def take_off(self, differences: Iterable[Difference]) -> None:
        """Go back to before the differences."""
        for _, quarter, department, by in differences:
            self.of_quarters[quarter, department] -= by
            self.of_departments[department] -= by
            self.total -= by


class _Comparison:
    """Compares the answers before and after an effect, year by year; keeps the largest changes."""

    def __init__(self, effect: Effect, departments: int) -> None:
        """There are so many `departments` before."""
        self.effect = effect
        self.departments = departments
        self.departments_after = departments + effect.departments
        self.by_year: dict[int, list[Difference]] = {
            year: [*some] for year, some in groupby(effect.numbers or (), itemgetter(0))
        }
        self.numbers: list[_Number] = []
        self.crossings: list[_Crossing] = []
        self.crossings_total = 0

    def compare(self, year: int, before: _Year) -> None:
        """Compare the year as it is before with what the effect makes of it."""
        differences = self.by_year.get(year, ())
        for _, quarter, department, by in differences:
            hired = before.of_quarters.get((quarter, department), 0)
            self.numbers.append(_Number(-abs(by), year, quarter, department, hired, hired + by))
        crossings = [*self._crossings(year, before, differences)]
        self.crossings_total += len(crossings)
        self.crossings += crossings
        if max(len(self.numbers), len(self.crossings)) > _MOST_HELD:
            self.numbers = nsmallest(MOST_TOLD, self.numbers)
            self.crossings = nsmallest(MOST_TOLD, self.crossings)

    def _crossings(
        self, year: int, before: _Year, differences: Sequence[Difference]
    ) -> Iterator[_Crossing]:
        """In integers, as queries/hiring.py has it: above is who hired more than their share."""
        changes: dict[int, int] = defaultdict(int)
        for _, _, department, by in differences:
            changes[department] += by
        share = _share(before.total, self.departments)
        share_after = _share(before.total + sum(changes.values()), self.departments_after)
        for department, by in changes.items():
            hired = before.of_departments.get(department, 0)
            above = hired + by > share_after
            if above != (hired > share):
                yield _Crossing(-abs(by), -hired - by, year, department, above)
        if share == share_after:
            return
        least, most = sorted((share, share_after))
        for department, hired in before.of_departments.items():
            if least < hired <= most and department not in changes:
                yield _Crossing(0, -hired, year, department, share_after < share)

    def end(self) -> set[int]:
        """Choose what is told; returns the ids of the departments that it is about."""
        self.numbers = sorted(self.numbers)[:MOST_TOLD]
        self.crossings = sorted(self.crossings)[:MOST_TOLD]
        return {
            *(number.department_id for number in self.numbers),
            *(crossing.department_id for crossing in self.crossings),
        }

    def impact(self, names: dict[int, str]) -> Impact:
        """What was chosen, with the departments' names."""
        return Impact(
            tuple(
                [
                    HiresImpact(year, quarter, department, _name(names, department), before, after)
                    for _, year, quarter, department, before, after in self.numbers
                ]
            ),
            len(self.effect.numbers or ()),
            tuple(
                [
                    MeanImpact(year, department, _name(names, department), above)
                    for _, _, year, department, above in self.crossings
                ]
            ),
            self.crossings_total,
        )


def _share(total: int, departments: int) -> int:
    return total // departments if departments else 0


def _name(names: dict[int, str], department: int) -> str:
    # Before the head is locked, it can be gone since its hires were read.
    return names.get(department, f"department {department}")


def _compare(connection: Connection, effects: Sequence[Effect]) -> list[_Comparison] | None:
    """The comparisons of the answers before and after each effect; None if they take too much."""
    departments = connection.scalars(_COUNT_DEPARTMENTS).one()
    before = departments - sum(effect.departments for effect in effects if effect.written)
    comparisons = []
    for effect in effects:
        comparisons.append(_Comparison(effect, before))
        before += effect.departments if effect.written else 0
    most = max(each.departments_after for each in comparisons)
    if most > MOST_DEPARTMENTS or any(effect.numbers is None for effect in effects):
        return None
    years = {year for each in comparisons for year in each.by_year}
    if any(effect.departments for effect in effects):
        years.update(connection.scalars(_FIND_YEARS))
    for year, after in _read_years(connection, sorted(years), most):
        _compare_year(comparisons, year, after)
    return comparisons


def _compare_year(comparisons: Sequence[_Comparison], year: int, state: _Year) -> None:
    """Go back from the year as it is after all effects, and compare it before and after each."""
    for each in reversed(comparisons):
        if year in each.by_year or each.effect.departments:
            if each.effect.written:
                state.take_off(each.by_year.get(year, ()))
            each.compare(year, state)


def _read_years(
    connection: Connection, years: Sequence[int], departments: int
) -> Iterator[tuple[int, _Year]]:
    at_once = max(_NUMBERS_AT_ONCE // (_QUARTERS * max(departments, 1)), 1)
    for start in range(0, len(years), at_once):
        some = years[start : start + at_once]
        numbers: dict[int, list[tuple[int, int, int]]] = {year: [] for year in some}
        for year, *number in connection.execute(_FIND_NUMBERS, {"years": some}).all():
            numbers[year].append(tuple(number))
        for year in some:
            yield year, _Year(numbers.pop(year))


def _with_names(connection: Connection, comparisons: Sequence[_Comparison]) -> list[Impact | None]:
    """Each with the names that the departments have after it."""
    ids = set[int]().union(*(each.end() for each in comparisons))
    found = connection.execute(_FIND_NAMES, {"ids": [*ids]}).all()
    names = {int(id_): str(name) for id_, name in found}
    impacts: list[Impact | None] = []
    for each in reversed(comparisons):
        impacts.append(each.impact(names))
        if ids and each.effect.renames and len(impacts) < len(comparisons):
            names |= _former_names(connection, each.effect.entry, ids)
    return impacts[::-1]


def _former_names(connection: Connection, entry: str, ids: set[int]) -> dict[int, str]:
    """The names that an entry has changed, as they were before; those of `ids`, at least."""
    wanted = {"entry": entry, "first": min(ids), "last": max(ids)}
    return {
        int(id_): str(name)
        for content in connection.scalars(_FIND_FORMER_ROWS, wanted)
        for id_, name in to_rows(unpack_rows(content))
    }
