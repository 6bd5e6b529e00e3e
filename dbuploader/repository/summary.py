"""The summary of hires, changed by differences."""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, bindparam, delete

from dbuploader.repository.rows import execute_many, upsert
from muster.tables.sql import hires_summary

SUMMARISED = "hired_employees"
"""The table whose rows the summary counts."""

SummaryKey = tuple[int, int, int, int]
"""Year, quarter from 1 to 4, department id, job id."""


def add_to_summary(connection: Connection, differences: Mapping[SummaryKey, int]) -> None:
    """Add the differences to the number of hires under each key; a number that is 0 goes."""
    # In the order of the key, so that two transactions wait for each other instead of deadlocking.
    changed = sorted((*key, by) for key, by in differences.items() if by)
    hired = hires_summary.c.hired
    statement = upsert(connection, hires_summary, lambda new: {"hired": hired + new["hired"]})
    execute_many(connection, statement, changed)
    keys = hires_summary.primary_key.columns
    emptied = delete(hires_summary).where(
        and_(*(column == bindparam(column.name) for column in keys)), hired == 0
    )
    fewer = [dict(zip(keys.keys(), row, strict=False)) for row in changed if row[-1] < 0]
    if fewer:
        connection.execute(emptied, fewer)
