"""Removing rows from their table within a transaction, many in one statement."""

from functools import lru_cache
from typing import Protocol

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.sql.dml import Delete

from dbuploader.arrow import find_rows, keys_of
from dbuploader.db.lookup import find_rows_of
from dbuploader.merge.summary import HiresDifferences, add_to_summary
from muster.contracts.tables import Table
from muster.contracts.tables.sql import sql_table

ROWS_AT_ONCE = 10_000


class Removals(Protocol):
    """Who is told which rows go, and keeps it; `flush` as with merge.Changes."""

    @property
    def is_full(self) -> bool:
        """Whether `flush` is to be called."""

    def remove(self, before: pa.RecordBatch, /) -> None:
        """These rows go: here they are as they were."""

    def flush(self) -> None:
        """Write what is held."""


class Removal:
    """Removes rows of `table`, and tells `changes` what went.

    What that changes in the summary is added to `differences`: whoever gives them writes them.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        changes: Removals,
        differences: HiresDifferences | None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._changes = changes
        self._differences = differences

    def remove(self, keys: BitMap) -> None:
        """Remove the rows that have these keys, ROWS_AT_ONCE at most; those that are there."""
        wanted = keys_of(keys)
        there = find_rows_of(self._connection, self._table, wanted, lock=True).batch()
        _, before = find_rows(wanted, there, self._table.key)
        if not len(before):
            return
        self._changes.remove(before)
        if self._differences is not None:
            self._differences.remove(before)
            if self._differences.is_full:
                add_to_summary(self._connection, self._differences.take())
        self._delete(keys)
        if self._changes.is_full:
            self._changes.flush()

    def _delete(self, keys: BitMap) -> None:
        least, most = keys.min(), keys.max()
        is_span = most - least + 1 == len(keys)
        parameters = {"least": least, "most": most} if is_span else {"keys": [*keys]}
        self._connection.execute(_deletion(self._table.name, is_span=is_span), parameters)


@lru_cache
def _deletion(table: str, *, is_span: bool) -> Delete:
    target = sql_table(table)
    (key,) = target.primary_key
    if is_span:
        return delete(target).where(key.between(bindparam("least"), bindparam("most")))
    return delete(target).where(key.in_(bindparam("keys", expanding=True)))
