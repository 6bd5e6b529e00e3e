"""What the checks of the audit read, in bounded memory, and what they find."""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Connection, Row, Select, Table, and_, func, select, tuple_

from dbuploader.arrow import bitmap_of
from dbuploader.db.lookup import find_rows_of
from dbuploader.db.schema import (
    changed_keys,
    changes,
    erased_rows,
    former_rows,
    journal_head,
    ledger,
)
from dbuploader.journal.changes import Head, unpack_rows
from muster.contracts import tables as declared
from muster.contracts.tables.sql import sql_table
from muster.database import Database
from muster.stores import Stores

_ROWS_AT_ONCE = 500
_BITMAPS_AT_ONCE = 16
_KEYS_AT_ONCE = 10_000
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What does not add up: in which check, where, what should be there and what is.

    `remedy` is what to do about it where that is known.
    """

    check: str
    where: str
    expected: str
    found: str
    remedy: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: expected {self.expected}, found {self.found}"


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Evidence:
    """One consistent view of the database, and the stores as they change meanwhile.

    `database` is for what was committed since. A record that is in flight is awaited for
    `patience` seconds. With `trusted` keys, as a JWK Set, receipts must be signed by one of these.
    `notes` counts what the audit can't see.
    """

    connection: Connection
    database: Database
    stores: Stores
    patience: float = 30.0
    trusted: list[dict[str, str]] | None = None
    notes: Counter[str] = field(default_factory=Counter)

    def head(self) -> Head:
        """The head of the journal."""
        row = self.connection.execute(select(journal_head.c.number, journal_head.c.receipt)).one()
        return Head(row.number, row.receipt)

    def has_base(self) -> bool:
        """Whether there may be rows of before the journal: an upload was decided before it was."""
        unnumbered = select(ledger.c.upload_id).where(ledger.c.number.is_(None)).limit(1)
        return self.connection.execute(unnumbered).first() is not None

    def erased(self, table: str) -> BitMap:
        """The keys in the table that were ever erased."""
        keys = select(erased_rows.c.row_key).where(erased_rows.c.table_name == table)
        return BitMap(self.connection.scalars(keys))


@dataclass(frozen=True)
class KeyPart:
    """One stored bitmap of keys, and what its row says of it."""

    effect: str
    table: str
    span: tuple[int, int]
    keys: BitMap


@dataclass(frozen=True)
class Entry:
    """All that stands under a number: the ledger's row, the change, the bitmaps of keys."""

    number: int
    decided: Row[Any] | None
    made: Row[Any] | None
    parts: list[KeyPart]

    def keys(self, *effects: str) -> BitMap:
        """The keys that it treated so."""
        return BitMap.union(*(part.keys for part in self.parts if part.effect in effects), BitMap())

    @property
    def table(self) -> str:
        """Which table it is about."""
        if self.made is not None:
            return str(self.made.table_name)
        return self.parts[0].table if self.parts else str(self.decided and self.decided.table_name)

    def __str__(self) -> str:
        if self.decided is not None:
            return f"number {self.number}, upload {self.decided.upload_id}"
        if self.made is not None:
            return f"number {self.number}, {self.made.kind} {self.made.entry}"
        return f"number {self.number}"


def entries(connection: Connection, *, newest_first: bool = False) -> Iterator[Entry]:
    """All numbers under which something stands, in their order."""
    streams = [
        ((row.number, "decided", row) for row in _by_number(connection, ledger, newest_first)),
        ((row.number, "made", row) for row in _by_number(connection, changes, newest_first)),
        ((row.number, "part", row) for row in _parts(connection, newest_first)),
    ]
    merged = heapq.merge(*streams, key=lambda item: int(item[0]), reverse=newest_first)
    for number, group in groupby(merged, key=lambda item: int(item[0])):
        found: dict[str, list[Any]] = {"decided": [], "made": [], "part": []}
        for _, kind, row in group:
            found[kind].append(row)
        yield Entry(
            number,
            next(iter(found["decided"]), None),
            next(iter(found["made"]), None),
            [_key_part(row) for row in found["part"]],
        )


def ledger_rows(connection: Connection) -> Iterator[Row[Any]]:
    """All rows of the ledger, those without a number too, by upload."""
    key = ledger.c.upload_id
    yield from _pages(connection, select(ledger).order_by(key), [key], _ROWS_AT_ONCE)


def former_parts(
    connection: Connection, entry: str, span: tuple[int, int] | None = None
) -> Iterator[tuple[Row[Any], pa.RecordBatch]]:
    """The former rows of an entry, part by part; with `span` those that may have keys in it."""
    wanted = select(former_rows).where(former_rows.c.entry == entry).order_by(former_rows.c.part)
    if span is not None:
        first, last = former_rows.c.first_key, former_rows.c.last_key
        wanted = wanted.where(first <= span[1], last >= span[0])
    for row in _pages(connection, wanted, [former_rows.c.part], 1):
        yield row, unpack_rows(row.content)


def table_rows(connection: Connection, table: declared.Table) -> Iterator[pa.RecordBatch]:
    """All rows of a table, in the order of its key."""
    key = sql_table(table.name).c[table.key]
    last = -1
    while True:
        following = select(key).where(key > last).order_by(key).limit(_KEYS_AT_ONCE)
        keys = connection.scalars(following).all()
        if not keys:
            return
        yield find_rows_of(connection, table, pa.array(keys, pa.int64()), lock=False).batch()
        last = keys[-1]


def table_keys(connection: Connection, table: declared.Table) -> BitMap:
    """The keys of all rows of a table."""
    return BitMap.union(
        *(bitmap_of(rows.column(table.key)) for rows in table_rows(connection, table)), BitMap()
    )


def count(connection: Connection, table: Table) -> int:
    """How many rows it has."""
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def named(keys: BitMap) -> str:
    """Some of the keys, and how many more there are."""
    some = ", ".join(str(key) for key in keys[:_NAMED])
    return some + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")


def _by_number(connection: Connection, table: Table, newest_first: bool) -> Iterator[Row[Any]]:
    number = table.c.number
    wanted = select(table).where(number.is_not(None))
    wanted = wanted.order_by(number.desc() if newest_first else number)
    return _pages(connection, wanted, [number], _ROWS_AT_ONCE, newest_first)


def _parts(connection: Connection, newest_first: bool) -> Iterator[Row[Any]]:
    columns = changed_keys.c
    place = [columns.number, columns.effect, columns.part]
    order = [each.desc() for each in place] if newest_first else place
    wanted = select(changed_keys).order_by(*order)
    return _pages(connection, wanted, place, _BITMAPS_AT_ONCE, newest_first)


def _pages(
    connection: Connection,
    wanted: Select[Any],
    place: list[Any],
    size: int,
    newest_first: bool = False,
) -> Iterator[Row[Any]]:
    """The wanted rows, so many at a time, where they are in the order of the columns `place`."""
    rows = connection.execute(wanted.limit(size)).all()
    while rows:
        yield from rows
        last = tuple(getattr(rows[-1], column.name) for column in place)
        here = tuple_(*place)
        beyond = here < last if newest_first else here > last
        rows = connection.execute(wanted.where(and_(beyond)).limit(size)).all()


def _key_part(row: Row[Any]) -> KeyPart:
    try:
        keys = BitMap.deserialize(row.bitmap)
    except (ValueError, LookupError) as error:
        where = f"part {row.part} of the {row.effect} keys of number {row.number}"
        raise ValueError(f"{where}: {error}") from error
    return KeyPart(row.effect, row.table_name, (row.first_key, row.last_key), keys)
