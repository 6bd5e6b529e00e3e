"""The two hiring questions: who hired whom by quarter, and who hired more than the mean.

Years and quarters are in UTC. Names are compared caselessly, by `str.casefold`.
"""

from dataclasses import dataclass

from muster.database import Reads
from queries import repository
from queries.repository import DepartmentHires, QuarterlyHires


@dataclass(frozen=True)
class AboveMean:
    """The departments that hired more than `mean`, the mean over all departments.

    Without any department the mean is 0.0.
    """

    mean: float
    departments: list[DepartmentHires]


class Hiring:
    """Answers from the employment database. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Reads) -> None:
        self._database = database

    def years(self) -> list[int]:
        """The years in which somebody was hired, in order."""
        with self._database.read() as connection:
            return repository.years_with_hires(connection)

    def by_quarter(self, year: int) -> list[QuarterlyHires]:
        """Each department and job that hired in `year`, by department, then by job.

        Departments or jobs that share a name stay apart.
        """
        with self._database.read() as connection:
            hires = repository.hires_by_quarter(connection, year)
        return sorted(hires, key=_by_names)

    def above_mean(self, year: int) -> AboveMean:
        """The departments that hired more in `year` than the mean, most first, then by name.

        A department that hired nobody counts as 0 in the mean.
        """
        with self._database.read() as connection:
            departments = repository.hires_by_department(connection, year)
        return above_mean(departments)


def _by_names(row: QuarterlyHires) -> tuple[str | int, ...]:
    # Names that differ in case only are ordered, too, and not by the collation of the database.
    return (row.department.casefold(), row.job.casefold(), *row)


def above_mean(departments: list[DepartmentHires]) -> AboveMean:
    """Those of `departments`, which are all there are, that hired more than their mean, sorted."""
    if not departments:
        return AboveMean(0.0, [])
    total = sum(department.hired for department in departments)
    # In integers, as the mean may have no exact float.
    above = [some for some in departments if some.hired * len(departments) > total]
    above.sort(key=lambda some: (-some.hired, some.department.casefold(), some.id))
    return AboveMean(total / len(departments), above)
