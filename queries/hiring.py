"""The two hiring questions: who hired whom by quarter, and who hired more than the mean.

Years and quarters are those of UTC. Names are compared caselessly, as `str.casefold` has it.
"""

from dataclasses import dataclass, field

from muster.database import Database
from queries import repository


@dataclass(frozen=True)
class QuarterlyHires:
    """Hires of one department and job in one year, in each quarter from the first to the fourth."""

    department: str
    job: str
    quarters: tuple[int, int, int, int]


@dataclass(frozen=True)
class DepartmentHires:
    """Hires of one department in one year."""

    id: int
    department: str
    hired: int


@dataclass(frozen=True)
class AboveMean:
    """The departments that hired more than `mean`, the mean over all departments.

    Without any department the mean is 0.0.
    """

    mean: float
    departments: list[DepartmentHires]


@dataclass
class _Tally:
    hires: repository.Hires
    quarters: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    def sort_key(self) -> tuple[str | int, ...]:
        hires = self.hires
        caseless = (hires.department.casefold(), hires.job.casefold())
        # Equal names are of different ids: their order must not depend on the database's.
        return (*caseless, hires.department, hires.job, hires.department_id, hires.job_id)


class Hiring:
    """Answers from the employment database. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_quarter(self, year: int) -> list[QuarterlyHires]:
        """Each department and job that hired in `year`, by department, then by job.

        Departments or jobs that share a name stay apart.
        """
        with self._database.read() as connection:
            return by_quarter(repository.hires_in(connection, year))

    def above_mean(self, year: int) -> AboveMean:
        """The departments that hired more in `year` than the mean, most first, then by name.

        A department that hired nobody counts as 0 in the mean.
        """
        with self._database.read() as connection:
            departments = repository.hires_by_department(connection, year)
        return above_mean([DepartmentHires(*department) for department in departments])


def by_quarter(hires: list[repository.Hires]) -> list[QuarterlyHires]:
    """`hires` with a row for each department and job, sorted."""
    tallies: dict[tuple[int, int], _Tally] = {}
    for some in hires:
        tally = tallies.setdefault((some.department_id, some.job_id), _Tally(some))
        tally.quarters[some.quarter - 1] += some.hired
    rows = []
    for tally in sorted(tallies.values(), key=_Tally.sort_key):
        first, second, third, fourth = tally.quarters
        quarters = (first, second, third, fourth)
        rows.append(QuarterlyHires(tally.hires.department, tally.hires.job, quarters))
    return rows


def above_mean(departments: list[DepartmentHires]) -> AboveMean:
    """Those of `departments`, which are all there are, that hired more than their mean, sorted."""
    if not departments:
        return AboveMean(0.0, [])
    total = sum(department.hired for department in departments)
    # In integers, as the mean may have no exact float.
    above = [some for some in departments if some.hired * len(departments) > total]
    above.sort(key=lambda some: (-some.hired, some.department.casefold(), some.id))
    return AboveMean(total / len(departments), above)
