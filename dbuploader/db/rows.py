"""The rows of the declared tables, written many at a time."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Dialect, Table, column, func, insert
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql.dml import Insert

from dbuploader.arrow import to_rows
from muster.contracts.tables.sql import sql_table

_ROWS_AT_ONCE = 10_000


def write_rows(
    connection: Connection, table: str, rows: pa.RecordBatch, *, replace: bool = False
) -> None:
    """Add `rows`, whose keys are new; or `replace` those that have their keys."""
    statement = statement_of_row(connection.dialect.name, table, replace=replace)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        execute_many(connection, statement, to_rows(rows.slice(start, _ROWS_AT_ONCE)))


@lru_cache
def statement_of_row(dialect: str, table: str, *, replace: bool) -> Insert:
    """What write_rows() runs for each row."""
    target = sql_table(table)
    if not replace:
        return insert(target)
    others = [column.name for column in target.columns if not column.primary_key]
    # Drivers send many rows of an INSERT in one go, and an UPDATE row by row.
    return upsert(dialect, target, lambda new: {column: new[column] for column in others})


def upsert(dialect: str, target: Table, changes: Callable[[Any], dict[str, Any]]) -> Insert:
    """An INSERT that makes `changes`, given the new values, where the primary key exists.

    To make and compile it takes SQLAlchemy longer than a database takes for some rows: keep it.
    """
    if dialect == "sqlite":
        added = sqlite.insert(target)
        return added.on_conflict_do_update(
            index_elements=list(target.primary_key), set_=changes(added.excluded)
        )
    # MariaDB lacks the alias for the new row that SQLAlchemy would name for MySQL.
    new = {each.name: func.values(column(each.name)) for each in target.columns}
    return mysql.insert(target).on_duplicate_key_update(changes(new))


def execute_many(
    connection: Connection, statement: Insert, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Run `statement` for each of `rows`, which hold its parameters in their order.

    The driver gets the tuples as they are: SQLAlchemy's own handling of parameters would take
    longer than the database does.
    """
    if rows:
        connection.exec_driver_sql(text_of(statement, connection.dialect), list(rows))


@lru_cache
def text_of(statement: Insert, dialect: Dialect) -> str:
    """The statement as the driver takes it."""
    return str(statement.compile(dialect=dialect))
