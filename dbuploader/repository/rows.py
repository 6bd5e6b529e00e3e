"""The rows of the declared tables: looked up by key and written many at a time."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Select,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql.dml import Insert

from dbuploader.checking import Values
from muster import tables as declared
from muster.tables.sql import sql_table

PlainRow = tuple[int | str, ...]
"""A row's values in the declared order, as both databases take and give them.

A datetime is text: `2021-11-07 02:48:42.000000`, in UTC.
"""


def to_plain(values: Values) -> PlainRow:
    """The checked values as databases take them."""
    return tuple(
        [
            value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value
            for value in values
        ]
    )


def rows_by_key(
    connection: Connection, table: declared.Table, keys: Collection[int], *, lock: bool
) -> dict[int, PlainRow]:
    """The rows that have one of `keys`, as they stand now; `lock` keeps others from changing them.

    Without `lock` MySQL would show the transaction's snapshot, which lacks what others wrote since.
    """
    place = table.column_names.index(table.key)
    statement = _select_rows(table.name)
    if lock:
        statement = statement.with_for_update()
    found = connection.execute(statement, {"keys": list(keys)})
    return {row[place]: tuple(row) for row in found}


def existing_keys(connection: Connection, table: str, keys: Collection[int]) -> set[int]:
    """Those of `keys` that `table` has."""
    return set(connection.scalars(_select_keys(table), {"keys": list(keys)}))


def insert_rows(connection: Connection, table: str, rows: Sequence[PlainRow]) -> None:
    """Add `rows`, whose keys are new."""
    execute_many(connection, insert(sql_table(table)), rows)


def replace_rows(connection: Connection, table: str, rows: Sequence[PlainRow]) -> None:
    """Give the rows of these keys their new values."""
    target = sql_table(table)
    others = [column.name for column in target.columns if not column.primary_key]
    # Drivers send many rows of an INSERT in one go, and an UPDATE row by row.
    statement = upsert(connection, target, lambda new: {column: new[column] for column in others})
    execute_many(connection, statement, rows)


def upsert(
    connection: Connection, target: Table, changes: Callable[[Any], dict[str, Any]]
) -> Insert:
    """An INSERT that makes `changes`, given the new values, where the primary key exists."""
    if connection.dialect.name == "sqlite":
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
        connection.exec_driver_sql(str(statement.compile(connection)), list(rows))


@lru_cache
def _select_rows(table: str) -> Select[Any]:
    target = sql_table(table)
    columns = [
        cast(column, String) if isinstance(column.type, DateTime) else column
        for column in target.columns
    ]
    (key,) = target.primary_key
    return select(*columns).where(key.in_(bindparam("keys", expanding=True)))


@lru_cache
def _select_keys(table: str) -> Select[Any]:
    (key,) = sql_table(table).primary_key
    return select(key).where(key.in_(bindparam("keys", expanding=True)))
