"""What this service reads from the employment database. SELECT only: its account may do no more."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from muster.database import Database
from muster.tables import Table
from muster.tables.sql import hires_summary, metadata, sql_table

Value = int | str | datetime
"""A stored cell; a datetime is in UTC and has no tzinfo."""


class Hires(NamedTuple):
    """Hires of one department and job in one quarter, 1 to 4."""

    department_id: int
    department: str
    job_id: int
    job: str
    quarter: int
    hired: int


def hires_in(connection: Connection, year: int) -> list[Hires]:
    """All hires of the UTC year, in no order. No employee is read: the summary says it."""
    departments, jobs = sql_table("departments"), sql_table("jobs")
    query = (
        select(
            departments.c.id,
            departments.c.department,
            jobs.c.id,
            jobs.c.job,
            hires_summary.c.quarter,
            hires_summary.c.hired,
        )
        .join_from(hires_summary, departments)
        .join(jobs)
        .where(hires_summary.c.year == year, hires_summary.c.hired > 0)
    )
    return [Hires(*row) for row in connection.execute(query)]


def hires_by_department(connection: Connection, year: int) -> list[tuple[int, str, int]]:
    """Every department's id, name and hires in the UTC year, in no order."""
    departments = sql_table("departments")
    of_the_year = and_(
        hires_summary.c.department_id == departments.c.id, hires_summary.c.year == year
    )
    query = (
        select(
            departments.c.id,
            departments.c.department,
            func.coalesce(func.sum(hires_summary.c.hired), 0),
        )
        .select_from(departments.outerjoin(hires_summary, of_the_year))
        .group_by(departments.c.id, departments.c.department)
    )
    # MySQL's SUM of integers is a decimal.
    return [(id_, name, int(hired)) for id_, name, hired in connection.execute(query)]


def rows_after(
    connection: Connection, table: Table, key: int, limit: int
) -> list[dict[str, Value]]:
    """At most `limit` rows with a greater key, in its order; each with the declared columns."""
    rows = sql_table(table.name)
    query = select(rows).where(rows.c[table.key] > key).order_by(rows.c[table.key]).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def check_schema(database: Database) -> None:
    """Return if every table is there with its columns; raises otherwise."""
    with database.read() as connection:
        for name in ("departments", "jobs", "hired_employees", "hires_summary"):
            connection.execute(select(metadata.tables[name]).limit(1))
