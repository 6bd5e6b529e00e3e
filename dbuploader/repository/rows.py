"""The rows of the declared tables: looked up by key and written many at a time."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
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

from dbuploader.columns import to_batch, to_rows
from muster import tables as declared
from muster.tables.sql import sql_table

# The greatest number of parameters of a statement is 32,766 for SQLite.
_KEYS_AT_ONCE = 5_000
_ROWS_AT_ONCE = 10_000


def rows_by_key(
    connection: Connection, table: declared.Table, keys: pa.Array, *, lock: bool
) -> pa.RecordBatch:
    """The rows that have one of `keys`, as they stand now; `lock` keeps others from changing them.

    Without `lock` MySQL would show the transaction's snapshot, which lacks what others wrote since.
    """
    statement = _select_rows(table.name)
    if lock:
        statement = statement.with_for_update()
    batches = [
        to_batch(table, [tuple(row) for row in connection.execute(statement, {"keys": some})])
        for some in _some_at_once(keys.to_pylist())
    ]
    return pa.concat_batches(batches)


def existing_keys(connection: Connection, table: str, keys: Collection[int]) -> set[int]:
    """Those of `keys` that `table` has."""
    statement = _select_keys(table)
    # In their order, so that the database finds neighbours together.
    return {
        key
        for some in _some_at_once(sorted(keys))
        for key in connection.scalars(statement, {"keys": some})
    }


def insert_rows(connection: Connection, table: str, rows: pa.RecordBatch) -> None:
    """Add `rows`, whose keys are new."""
    _execute_for_rows(connection, insert(sql_table(table)), rows)


def replace_rows(connection: Connection, table: str, rows: pa.RecordBatch) -> None:
    """Give the rows of these keys their new values."""
    target = sql_table(table)
    others = [column.name for column in target.columns if not column.primary_key]
    # Drivers send many rows of an INSERT in one go, and an UPDATE row by row.
    statement = upsert(connection, target, lambda new: {column: new[column] for column in others})
    _execute_for_rows(connection, statement, rows)


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


def _execute_for_rows(connection: Connection, statement: Insert, rows: pa.RecordBatch) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        execute_many(connection, statement, to_rows(rows.slice(start, _ROWS_AT_ONCE)))


def _some_at_once(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """The keys, a statement's worth at a time; none at all makes one statement, too."""
    for start in range(0, max(len(keys), 1), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


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
