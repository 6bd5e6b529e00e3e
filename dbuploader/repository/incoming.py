"""Rows on their way into a table of MySQL: in a temporary table beside it, to be compared there."""

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Table,
    case,
    extract,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from muster import tables as declared
from muster.tables.sql import sql_table

Months = dict[tuple[str, int, int], int]
"""Rows by their month (`2021-07`), department and job."""


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
        others = [column.name for column in self._target.columns if column.name != key]
        self._changes: dict[str, ColumnElement[Any]] = {name: self._rows.c[name] for name in others}
        self._differs = or_(*(self._rows.c[name] != self._target.c[name] for name in others))
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

    def count(self) -> tuple[int, int]:
        """How many of the rows are in the table already, and how many of those differ there."""
        changed = func.coalesce(func.sum(case((self._differs, 1), else_=0)), 0)
        wanted = select(func.count(), changed).select_from(self._both)
        present, different = self._connection.execute(wanted.with_for_update()).one()
        return int(present), int(different)

    def insert_new(self) -> int:
        """Insert those that are not there; returns how many."""
        new = select(*self._rows.columns).select_from(self._all).where(self._is_new)
        names = [column.name for column in self._rows.columns]
        return self._connection.execute(insert(self._target).from_select(names, new)).rowcount

    def update_changed(self) -> int:
        """Give those that differ their new values; returns how many."""
        changed = update(self._target).where(self._same_key, self._differs).values(self._changes)
        return self._connection.execute(changed).rowcount

    def months_before(self) -> Months:
        """The hires that are to move in the summary, as they are."""
        return self._count_months(self._target, self._both, self._moves())

    def months_after(self) -> Months:
        """The hires that are new, or to move in the summary, as they will be."""
        return self._count_months(self._rows, self._all, or_(self._is_new, self._moves()))

    def _moves(self) -> ColumnElement[bool]:
        old, new = _group(self._target), _group(self._rows)
        return or_(*(before != after for before, after in zip(old, new, strict=True)))

    def _count_months(
        self, values: Table, joined: FromClause, condition: ColumnElement[bool]
    ) -> Months:
        group = _group(values)
        counted = select(*group, func.count()).select_from(joined).where(condition)
        return {
            (f"{month // 100:04}-{month % 100:02}", department, job): count
            for month, department, job, count in self._connection.execute(counted.group_by(*group))
        }


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
