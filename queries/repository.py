"""What this service reads from the employment database. SELECT only: its account may do no more."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select

from muster.contracts.tables import StringColumn, Table
from muster.contracts.tables.sql import hires_summary, metadata, sql_table
from muster.database import Reads

Value = int | str | datetime
"""A stored cell; a datetime is in UTC and has no tzinfo."""


class QuarterlyHires(NamedTuple):
    """Hires of one department and job in one year, in each of its quarters."""

    department: str
    job: str
    q1: int
    q2: int
    q3: int
    q4: int


class DepartmentHires(NamedTuple):
    """Hires of one department in one year."""

    id: int
    department: str
    hired: int


_DEPARTMENTS, _JOBS = sql_table("departments"), sql_table("jobs")
# Built once, because that takes longer than a small answer. Neither reads an employee's row.
_OF_THE_YEAR = hires_summary.c.year == bindparam("year")


def _in_quarter(quarter: int) -> ColumnElement[int]:
    # A quarter has one row for a department and job. MySQL's SUM would be a decimal.
    return func.max(case((hires_summary.c.quarter == quarter, hires_summary.c.hired), else_=0))


# Each counts first and names then, for counting is faster without the names.
_HIRED_BY_QUARTER = (
    select(
        hires_summary.c.department_id,
        hires_summary.c.job_id,
        *(_in_quarter(quarter).label(f"q{quarter}") for quarter in (1, 2, 3, 4)),
    )
    .where(_OF_THE_YEAR, hires_summary.c.hired > 0)
    .group_by(hires_summary.c.department_id, hires_summary.c.job_id)
    .subquery()
)
_BY_QUARTER = (
    select(
        _DEPARTMENTS.c.department,
        _JOBS.c.job,
        *(_HIRED_BY_QUARTER.c[f"q{quarter}"] for quarter in (1, 2, 3, 4)),
    )
    .join(_DEPARTMENTS, _DEPARTMENTS.c.id == _HIRED_BY_QUARTER.c.department_id)
    .join(_JOBS, _JOBS.c.id == _HIRED_BY_QUARTER.c.job_id)
)
_HIRED = (
    select(hires_summary.c.department_id, func.sum(hires_summary.c.hired).label("hired"))
    .where(_OF_THE_YEAR)
    .group_by(hires_summary.c.department_id)
    .subquery()
)
_BY_DEPARTMENT = select(
    _DEPARTMENTS.c.id, _DEPARTMENTS.c.department, func.coalesce(_HIRED.c.hired, 0)
).outerjoin_from(_DEPARTMENTS, _HIRED)


def hires_by_quarter(connection: Connection, year: int) -> list[QuarterlyHires]:
    """Each department and job that hired in the UTC year, in no order.

    Departments or jobs that share a name stay apart.
    """
    # Fetched at once: row by row takes twice as long.
    return [QuarterlyHires(*row) for row in connection.execute(_BY_QUARTER, {"year": year}).all()]


def hires_by_department(connection: Connection, year: int) -> list[DepartmentHires]:
    """Every department with its hires in the UTC year, in no order."""
    return [
        DepartmentHires(id_, name, int(hired))
        for id_, name, hired in connection.execute(_BY_DEPARTMENT, {"year": year}).all()
    ]


def years_with_hires(connection: Connection) -> list[int]:
    """The UTC years in which somebody was hired, in order."""
    query = select(hires_summary.c.year).where(hires_summary.c.hired > 0).distinct()
    return list(connection.scalars(query.order_by(hires_summary.c.year)))


def names_of(connection: Connection, table: Table, keys: Collection[int]) -> dict[int, str]:
    """What the rows with these keys are called, by key; those that are not there are left out."""
    rows = sql_table(table.name)
    key, name = rows.c[table.key], rows.c[name_column(table)]
    found = connection.execute(select(key, name).where(key.in_(keys))) if keys else ()
    return {number: text for number, text in found}  # noqa: C416 - rows are no pairs to mypy


def name_column(table: Table) -> str:
    """The column that says what a row is called: the first text, or else the key."""
    texts = (each.name for each in table.columns if isinstance(each, StringColumn))
    return next(texts, table.key)


def find_row(connection: Connection, table: Table, key: int) -> dict[str, Value] | None:
    """The row with that key, its columns in their order; None if there is none."""
    rows = sql_table(table.name)
    found = connection.execute(select(rows).where(rows.c[table.key] == key)).mappings().first()
    return None if found is None else dict(found)


def check_schema(database: Reads) -> None:
    """Return if every table exists with its columns; raises otherwise."""
    with database.read() as connection:
        for name in ("departments", "jobs", "hired_employees", "hires_summary"):
            connection.execute(select(metadata.tables[name]).limit(1))
