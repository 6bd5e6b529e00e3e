"""The summary of hires, changed by differences."""

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, and_, bindparam, delete

from dbuploader.columns import to_rows
from dbuploader.repository.rows import execute_many, upsert
from muster.contracts.tables.sql import hires_summary

SUMMARISED = "hired_employees"
"""The table whose rows the summary counts."""

_HIRED = hires_summary.c.hired
_GROUPS_AT_ONCE = 10_000


def add_to_summary(connection: Connection, differences: pa.Table) -> None:
    """Add the differences to the number of hires under each key; a number that is 0 goes.

    They have the columns of the summary, and are in the order of its key: so that two transactions
    wait for each other instead of deadlocking.
    """
    add = _add_by_text if connection.dialect.name == "mysql" else _add_by_rows
    for some in differences.to_batches(_GROUPS_AT_ONCE):
        add(connection, some)
    fewer = differences.filter(pc.less(differences.column("hired"), 0)).select(_KEYS)
    if len(fewer):
        connection.execute(_DELETE_EMPTIED, fewer.to_pylist())


def _add_by_rows(connection: Connection, differences: pa.RecordBatch) -> None:
    statement = upsert(connection, hires_summary, lambda new: {"hired": _HIRED + new["hired"]})
    execute_many(connection, statement, to_rows(differences))


def _add_by_text(connection: Connection, differences: pa.RecordBatch) -> None:
    # All are integers. The driver would take longer to write them into the statement one by one
    # than the server does to read it.
    texts = [column.cast(pa.string()) for column in differences.columns]
    values = "),(".join(pc.binary_join_element_wise(*texts, ",").to_pylist())
    names = ", ".join(differences.schema.names)
    connection.exec_driver_sql(
        f"INSERT INTO hires_summary ({names}) VALUES ({values})"  # noqa: S608
        " ON DUPLICATE KEY UPDATE hired = hired + VALUES(hired)"
    )


_KEYS = list(hires_summary.primary_key.columns.keys())
_DELETE_EMPTIED = delete(hires_summary).where(
    and_(*(column == bindparam(column.name) for column in hires_summary.primary_key.columns)),
    _HIRED == 0,
)
