"""Rows on their way into a table of MySQL: in a temporary table beside it, to be compared there."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Table,
    case,
    extract,
    false,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.schema import CreateTable

from dbuploader.repository.rows import upsert
from dbuploader.repository.summary import SUMMARISED
from muster import tables as declared
from muster.tables.sql import sql_table

Months = dict[tuple[str, int, int], int]
"""Rows by their month (`2021-07`), department and job."""


class Compared(NamedTuple):
    """How many rows are there already, with whatever values; and how many of those differ.

    `moved` is how many of those count elsewhere in the summary, if the table has one.
    """

    present: int
    changed: int
    moved: int


class Incoming:
    """The temporary table for rows of `table`, on one connection.

    What is looked at is locked until the transaction ends, so that the counts are true then.
    """

    def __init__(self, connection: Connection, table: declared.Table) -> None:
        self._connection = connection
        self._target = sql_table(table.name)
        self._rows = incoming_table(table.name)
        key = table.key
        self._same_key = self._rows.c[key] == self._target.c[key]
        self._is_new = self._target.c[key].is_(None)
        self._others = [column.name for column in self._target.columns if column.name != key]
        self._differs = _differ(
            [(self._rows.c[name], self._target.c[name]) for name in self._others]
        )
        self._moves: ColumnElement[bool] = false()
        if table.name == SUMMARISED:
            self._moves = _differ(zip(_group(self._rows), _group(self._target), strict=True))
        self._both: FromClause = self._rows.join(self._target, self._same_key)
        self._all: FromClause = self._rows.outerjoin(self._target, self._same_key)

    @property
    def name(self) -> str:
        """The temporary table's name."""
        return self._rows.name

    def make(self) -> None:
        """Make it anew. Unlike TRUNCATE, neither statement ends the transaction."""
        self.drop()
        self._connection.execute(CreateTable(self._rows))

    def drop(self) -> None:
        """Have it no longer, if it was there."""
        # SQLAlchemy's own DROP lacks the word, without which it commits.
        self._connection.execute(text(f"DROP TEMPORARY TABLE IF EXISTS {self.name}"))

    def compare(self) -> Compared:
        """Compare the rows with those that are there."""
        sums = [
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (self._differs, self._moves)
        ]
        wanted = select(func.count(), *sums).select_from(self._both)
        row = self._connection.execute(wanted.with_for_update()).one()
        return Compared(*(int(number) for number in row))

    def merge(self) -> int:
        """Insert the new rows and change those that differ; returns the server's count.

        That is 1 for a row that is new or as it was, and 2 for one that was changed:
        https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html, with CLIENT_FOUND_ROWS.
        """
        names = [column.name for column in self._rows.columns]
        # An UPDATE that joins the two would take more than twice as long.
        merged = upsert(
            self._connection, self._target, lambda new: {name: new[name] for name in self._others}
        )
        rows = select(*self._rows.columns)
        return self._connection.execute(merged.from_select(names, rows)).rowcount

    def months_before(self) -> Months:
        """The hires that are to move in the summary, as they are."""
        return self._count_months(self._target, self._both, self._moves)

    def months_after(self) -> Months:
        """The hires that are new, or to move in the summary, as they will be."""
        return self._count_months(self._rows, self._all, or_(self._is_new, self._moves))

    def _count_months(
        self, values: Table, joined: FromClause, condition: ColumnElement[bool]
    ) -> Months:
        group = _group(values)
        counted = select(*group, func.count()).select_from(joined).where(condition)
        return {
            (f"{month // 100:04}-{month % 100:02}", department, job): count
            for month, department, job, count in self._connection.execute(counted.group_by(*group))
        }


def _differ(pairs: Iterable[tuple[ColumnElement[Any], ColumnElement[Any]]]) -> ColumnElement[bool]:
    return or_(*(one != other for one, other in pairs))


def _group(
    hires: Table,
) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[int]]:
    # As a number: 202107. The text would take the server longer.
    return extract("year_month", hires.c.datetime), hires.c.department_id, hires.c.job_id


def key_range(connection: Connection, table: declared.Table) -> tuple[int, int] | None:
    """The least and the greatest key of the table; None if it has no row."""
    key = sql_table(table.name).c[table.key]
    least, greatest = connection.execute(select(func.min(key), func.max(key))).one()
    return None if least is None else (int(least), int(greatest))


def has_key_between(connection: Connection, table: declared.Table, least: int, most: int) -> bool:
    """Whether the table has a key from `least` to `most`."""
    key = sql_table(table.name).c[table.key]
    found = select(literal(1)).where(key.between(least, most)).limit(1)
    return connection.execute(found).first() is not None


def count_locked(connection: Connection, table: str, keys: list[int]) -> int:
    """How many of the distinct `keys` are in `table`; those stay until the transaction ends."""
    (key,) = sql_table(table).primary_key
    there = select(key).where(key.in_(keys)).with_for_update(read=True)
    return len(connection.execute(there).all())


@lru_cache
def incoming_table(name: str) -> Table:
    """The temporary table for rows of the table `name`: without its indexes and foreign keys."""
    columns = [
        Column(
            column.name,
            column.type,
            primary_key=column.primary_key,
            autoincrement=False,
            nullable=False,
        )
        for column in sql_table(name).columns
    ]
    return Table(
        f"incoming_{name}",
        MetaData(),
        *columns,
        prefixes=["TEMPORARY"],
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
