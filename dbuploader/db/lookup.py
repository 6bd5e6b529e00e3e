"""The rows of the declared tables, looked up by key."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Select,
    String,
    bindparam,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)

from dbuploader.arrow import bitmap_of, to_batch
from dbuploader.db.tsv import from_tsv
from muster.contracts import tables as declared
from muster.contracts.tables.sql import sql_table

# The greatest number of parameters of a statement is 32,766 for SQLite, and the longest text of
# MariaDB 16 MiB by default: rows are not that long.
_KEYS_AT_ONCE = 10_000
# A list of keys takes MySQL as long as a range that has twice as many.
_SPARSEST = 2
_TAB: ColumnElement[str] = literal_column("'\t'", String)
_LINE_END: ColumnElement[str] = literal_column("'\n'", String)


class FoundRows:
    """Rows as the database sent them, most of them as text that is parsed when it is needed."""

    def __init__(self, table: declared.Table, parts: list["_Text | pa.RecordBatch"]) -> None:
        self._table = table
        self._parts = parts

    def __len__(self) -> int:
        """How many rows there are."""
        return sum(part.rows if isinstance(part, _Text) else len(part) for part in self._parts)

    def batch(self) -> pa.RecordBatch:
        """The rows as columns."""
        return pa.concat_batches(
            [
                from_tsv(self._table, part.text, part.rows) if isinstance(part, _Text) else part
                for part in self._parts
            ]
        )


class _Text(NamedTuple):
    """What to_tsv would make of that many rows."""

    text: str
    rows: int


def find_rows_of(
    connection: Connection, table: declared.Table, keys: pa.Array, *, lock: bool
) -> FoundRows:
    """The rows that have one of `keys`, as they are now, and possibly some with keys between.

    `lock` keeps others from changing them. Without it MySQL would show the transaction's snapshot,
    which lacks what others wrote since.
    """
    starts = range(0, max(len(keys), 1), _KEYS_AT_ONCE)
    batches = [keys[start : start + _KEYS_AT_ONCE] for start in starts]
    return FoundRows(table, [_find(connection, table, some, lock=lock) for some in batches])


def existing_keys(connection: Connection, table: str, keys: Collection[int]) -> set[int]:
    """Those of `keys` that `table` has."""
    statement = _select_keys(table)
    # In their order, so that the database finds neighbours together.
    ordered = sorted(keys)
    return {
        key
        for start in range(0, len(ordered), _KEYS_AT_ONCE)
        for key in connection.scalars(statement, {"keys": ordered[start : start + _KEYS_AT_ONCE]})
    }


def key_range(connection: Connection, table: declared.Table) -> tuple[int, int] | None:
    """The minimum and maximum key of the table; None if it has no row."""
    key = sql_table(table.name).c[table.key]
    # Together in one SELECT, SQLite would read the whole table for them; each alone is a search.
    ends = [select(end(key)).scalar_subquery() for end in (func.min, func.max)]
    least, greatest = connection.execute(select(*ends)).one()
    return None if least is None else (int(least), int(greatest))


def has_key_between(connection: Connection, table: declared.Table, least: int, most: int) -> bool:
    """Whether the table has a key from `least` to `most`."""
    key = sql_table(table.name).c[table.key]
    found = select(literal(1)).where(key.between(least, most)).limit(1)
    return connection.execute(found).first() is not None


def first_names(connection: Connection, table: declared.Table, most: int) -> list[tuple[int, str]]:
    """The keys and names of at most so many rows, in key order.

    A name is the value of the first column of strings; there is none without such a column.
    """
    strings = [column.name for column in table.columns if column.type == "string"]
    if not strings:
        return []
    columns = sql_table(table.name).c
    key = columns[table.key]
    rows = connection.execute(select(key, columns[strings[0]]).order_by(key).limit(most))
    return [(key, name) for key, name in rows]


def count_locked(connection: Connection, table: str, keys: list[int]) -> int:
    """How many of the distinct `keys` are in `table`; those stay until the transaction ends."""
    there = _select_keys(table).with_for_update(read=True)
    return len(connection.execute(there, {"keys": keys}).all())


def lock_keys(connection: Connection, table: declared.Table, keys: pa.Array) -> None:
    """Keep others from changing the rows that have these keys, at most some 10,000."""
    wanted = _Wanted(keys)
    statement = _count_locked_rows(table.name, in_span=wanted.in_span)
    connection.execute(statement, wanted.parameters).one()


def find_referred(
    connection: Connection, foreign: declared.ForeignKey, child: str, keys: pa.Array
) -> BitMap:
    """Those of the parent's `keys`, at most some 10,000, that rows of `child` have."""
    wanted = _Wanted(keys)
    statement = _select_referred(child, foreign, in_span=wanted.in_span)
    found = BitMap(connection.scalars(statement, wanted.parameters))
    return found & bitmap_of(keys)


def referring_to(table: declared.Table) -> Iterator[tuple[declared.Table, declared.ForeignKey]]:
    """The tables that refer to `table`, each with the key by which it does."""
    for child in declared.tables().values():
        for foreign in child.foreign_keys:
            if foreign.parent == table.name:
                yield child, foreign


def find_referring(
    connection: Connection,
    foreign: declared.ForeignKey,
    child: declared.Table,
    keys: Collection[int],
    most: int,
) -> dict[int, list[int]]:
    """By key of the parent, the first keys of the rows of `child` that have it, at most so many."""
    statement = _select_referring(child.name, child.key, foreign.column)
    found: dict[int, list[int]] = defaultdict(list)
    for key, referring in connection.execute(statement, {"keys": [*keys], "most": most}):
        found[key].append(referring)
    return found


def _find(
    connection: Connection, table: declared.Table, keys: pa.Array, *, lock: bool
) -> _Text | pa.RecordBatch:
    wanted = _Wanted(keys)
    statement = _select_text(table.name, in_span=wanted.in_span, lock=lock)
    rows, text = connection.execute(statement, wanted.parameters).one()
    text = text or ""
    tabs, ends = text.count("\t"), text.count("\n")
    if (tabs, ends) == (rows * (len(table.columns) - 1), rows) and "\r" not in text:
        return _Text(text, rows)
    # Cut by the server, or not written by Muster: there is a tab or a line end in a value.
    return _find_by_columns(connection, table, keys, lock=lock)


def _find_by_columns(
    connection: Connection, table: declared.Table, keys: pa.Array, *, lock: bool
) -> pa.RecordBatch:
    target = sql_table(table.name)
    columns = [
        cast(column, String) if isinstance(column.type, DateTime) else column
        for column in target.columns
    ]
    wanted = _Wanted(keys)
    statement = _with_keys(select(*columns), table.name, in_span=wanted.in_span, lock=lock)
    rows = connection.execute(statement, wanted.parameters)
    return to_batch(table, [tuple(row) for row in rows])


class _Wanted:
    """Keys as a statement takes them: all that are `in_span`, or one by one."""

    def __init__(self, keys: pa.Array) -> None:
        span = pc.min_max(keys).as_py()
        least, most = span["min"], span["max"]
        self.in_span = len(keys) > 0 and most - least < _SPARSEST * len(keys)
        self.parameters = (
            {"least": least, "most": most} if self.in_span else {"keys": keys.to_pylist()}
        )


@lru_cache
def _select_text(table: str, *, in_span: bool, lock: bool) -> Select[Any]:
    """The number of the rows of some keys, and all of them as what to_tsv would make of them."""
    # One value for many rows: the driver takes longer over values than the server does over rows.
    values: list[ColumnElement[str]] = [
        type_coerce(column, String) for column in sql_table(table).columns
    ]
    line = reduce(lambda text, value: text.concat(_TAB).concat(value), values).concat(_LINE_END)
    columns: list[ColumnElement[Any]] = [func.count(), func.aggregate_strings(line, "")]
    return _with_keys(select(*columns), table, in_span=in_span, lock=lock)


def _with_keys(statement: Select[Any], table: str, *, in_span: bool, lock: bool) -> Select[Any]:
    (key,) = sql_table(table).primary_key
    wanted = (
        key.between(bindparam("least"), bindparam("most"))
        if in_span
        else key.in_(bindparam("keys", expanding=True))
    )
    statement = statement.where(wanted)
    return statement.with_for_update() if lock else statement


@lru_cache
def _count_locked_rows(table: str, *, in_span: bool) -> Select[Any]:
    return _with_keys(select(func.count()), table, in_span=in_span, lock=True)


@lru_cache
def _select_referred(child: str, foreign: declared.ForeignKey, *, in_span: bool) -> Select[Any]:
    """Those of the parent's keys that rows of `child` have: a search of its index for each."""
    (key,) = sql_table(foreign.parent).primary_key
    column = sql_table(child).c[foreign.column]
    referred = select(key).where(exists().where(column == key))
    return _with_keys(referred, foreign.parent, in_span=in_span, lock=False)


@lru_cache
def _select_referring(child: str, key_name: str, column_name: str) -> Select[Any]:
    target = sql_table(child)
    column, key = target.c[column_name], target.c[key_name]
    place = func.row_number().over(partition_by=column, order_by=key).label("place")
    wanted = column.in_(bindparam("keys", expanding=True))
    placed = select(column.label("parent"), key.label("referring"), place).where(wanted).subquery()
    first = placed.c.place <= bindparam("most")
    return select(placed.c.parent, placed.c.referring).where(first).order_by(*placed.c)


@lru_cache
def _select_keys(table: str) -> Select[Any]:
    (key,) = sql_table(table).primary_key
    return select(key).where(key.in_(bindparam("keys", expanding=True)))
