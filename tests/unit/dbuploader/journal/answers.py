"""Both hiring questions, asked of the database of a suite, and what has changed between answers."""

from dataclasses import dataclass, replace

from muster.contracts.uploads import HiresImpact, Impact, MeanImpact
from queries.hiring import Hiring
from tests.unit.dbuploader.suite import Suite

MOST_TOLD = 20


@dataclass(frozen=True)
class Answers:
    """The answers for all years. Departments are told apart by their names, which differ.

    `hires` has a number for each year, quarter and department; `above` each year and department
    that is above the mean.
    """

    hires: dict[tuple[int, int, str], int]
    above: set[tuple[int, str]]
    ids: dict[str, int]


def ask(suite: Suite) -> Answers:
    """Ask both questions of every year."""
    hiring = Hiring(suite.database)
    hires: dict[tuple[int, int, str], int] = {}
    above: set[tuple[int, str]] = set()
    for year in hiring.years():
        for row in hiring.by_quarter(year):
            for quarter, hired in enumerate((row.q1, row.q2, row.q3, row.q4), start=1):
                key = (year, quarter, row.department)
                hires[key] = hires.get(key, 0) + hired
        above |= {(year, each.department) for each in hiring.above_mean(year).departments}
    ids = {name: id_ for id_, name in suite.rows("departments")}
    return Answers(hires, above, ids)


def changes(before: Answers, after: Answers) -> Impact:
    """The impact of what happened between the two, in full."""
    names = {id_: name for name, id_ in after.ids.items()}
    were, are = _by_id(before), _by_id(after)
    hires = [
        HiresImpact(*key, names[key[2]], were.hires.get(key, 0), are.hires.get(key, 0))
        for key in {*were.hires, *are.hires}
        if were.hires.get(key, 0) != are.hires.get(key, 0)
    ]
    hires.sort(
        key=lambda each: (
            -abs(each.after - each.before),
            each.year,
            each.quarter,
            each.department_id,
        )
    )
    crossed = [
        MeanImpact(year, id_, names[id_], (year, id_) in are.above)
        for year, id_ in were.above ^ are.above
    ]
    crossed.sort(
        key=lambda each: (
            -abs(_hired(are, each) - _hired(were, each)),
            -_hired(are, each),
            each.year,
            each.department_id,
        )
    )
    return Impact(tuple(hires), len(hires), tuple(crossed), len(crossed))


def cut(impact: Impact) -> Impact:
    """What is named of it."""
    return Impact(
        impact.hires[:MOST_TOLD],
        impact.hires_total,
        impact.departments[:MOST_TOLD],
        impact.departments_total,
    )


def without_holders(impact: Impact | None) -> Impact | None:
    """What an undo tells as uploads do."""
    return impact and replace(impact, holders=(), holders_total=0)


def without_names(impact: Impact) -> Impact:
    """A dry run names departments as they are called before."""
    return replace(
        impact,
        hires=tuple(replace(each, department="") for each in impact.hires),
        departments=tuple(replace(each, department="") for each in impact.departments),
    )


@dataclass(frozen=True)
class _ById:
    hires: dict[tuple[int, int, int], int]
    above: set[tuple[int, int]]


def _by_id(answers: Answers) -> _ById:
    ids = answers.ids
    return _ById(
        {(year, quarter, ids[name]): n for (year, quarter, name), n in answers.hires.items()},
        {(year, ids[name]) for year, name in answers.above},
    )


def _hired(answers: _ById, of: MeanImpact) -> int:
    return sum(
        hired
        for (year, _, department), hired in answers.hires.items()
        if (year, department) == (of.year, of.department_id)
    )
