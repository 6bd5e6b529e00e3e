"""Rows into SQLite: many in one statement, and the indexes of a table made after its rows.

Each of a million new rows costs SQLite three times as much to put into the indexes where it
belongs as it does to sort all of them into new indexes at the end.
"""

import pyarrow as pa
from sqlalchemy import Connection, func, literal, select

from dbuploader.arrow import to_values
from dbuploader.db.rows import statement_of_row, text_of, write_rows
from muster.contracts.tables import Table
from muster.contracts.tables.sql import sql_table

# SQLite takes 32,766 at most; more than these make nothing faster.
_VALUES_AT_ONCE = 5_000
# Making the indexes of fewer rows costs others, who read the schema again, more than it saves.
_LEAST_ROWS = 10_000


class SqliteWriter:
    """Writes rows into `table`, in the transaction of `connection`.

    The indexes of a table that has at most as many rows as the first to be inserted are dropped
    before, and made again by `finish`. Both take place with the transaction, or not at all.
    """

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._indexes: list[str] | None = None

    def write(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        """Insert `rows`, or `replace` those of their keys."""
        if self._indexes is None and not replace:
            self._indexes = self._drop_indexes() if self._are_most(rows) else []
        at_once = max(_VALUES_AT_ONCE // rows.num_columns, 1)
        many = len(rows) // at_once * at_once
        statement = self._statement(rows.num_columns, at_once, replace=replace)
        for start in range(0, many, at_once):
            values = to_values(rows.slice(start, at_once))
            self._connection.exec_driver_sql(statement, values)
        # By the statement of one row: for each number of rows SQLite would prepare another.
        write_rows(self._connection, self._table.name, rows.slice(many), replace=replace)

    def finish(self) -> None:
        """Make the indexes that were dropped; call it after the last row."""
        for statement in self._indexes or ():
            self._connection.exec_driver_sql(statement)
        self._indexes = []

    def _statement(self, width: int, at_once: int, *, replace: bool) -> str:
        of_row = statement_of_row("sqlite", self._table.name, replace=replace)
        row = f"({', '.join('?' * width)})"
        text = text_of(of_row, self._connection.dialect)
        return text.replace(row, ", ".join([row] * at_once))

    def _are_most(self, rows: pa.RecordBatch) -> bool:
        if len(rows) < _LEAST_ROWS:
            return False
        there = select(literal(1)).select_from(sql_table(self._table.name)).limit(len(rows) + 1)
        found = select(func.count()).select_from(there.subquery())
        return self._connection.execute(found).scalar_one() <= len(rows)

    def _drop_indexes(self) -> list[str]:
        """Returns the statements that make them."""
        # Not those of the declaration: a later version may have others. One without a statement
        # is a constraint's own.
        found = self._connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            (self._table.name,),
        ).all()
        quote = self._connection.dialect.identifier_preparer.quote_identifier
        for name, _ in found:
            self._connection.exec_driver_sql(f"DROP INDEX {quote(name)}")
        return [statement for _, statement in found]
