"""The history of a row: which changes wrote it, and what it was before each, from the journal."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pyroaring import BitMap
from sqlalchemy import ColumnElement, Connection, and_, select

from dbuploader.arrow import PlainValue
from dbuploader.db.schema import changed_keys, changes
from dbuploader.journal.changes import INSERTED, WRITTEN, find_head
from dbuploader.journal.lookup import read_former
from muster.contracts.tables import DatetimeColumn, Table
from muster.database import Database

# Every statement is bounded: it looks at so many numbers, and reads the bitmaps of so many.
_NUMBERS_AT_ONCE = 100_000
_BITMAPS_AT_ONCE = 32
# Then the page ends where it is; a change is on it if there is one by then.
_SECONDS = 1.0


@dataclass(frozen=True)
class RowChange:
    """A change that wrote the row: under which number, and what it did to it.

    `effect` is `inserted`, `updated` or `removed`. `entry` is the upload's id, or the batch's own;
    `kind` one of `upload`, `batch`, `undo` and `erasure`. `at` is in UTC without tzinfo. `before`
    are the row's values in their order as they stand in a batch of rows; None where it was not
    there, or where they are no longer kept: then `forgotten` says why.
    """

    number: int
    effect: str
    entry: str
    kind: str
    owner: str
    made_by: str
    at: datetime
    before: tuple[PlainValue, ...] | None
    forgotten: Literal["expired", "erased"] | None


@dataclass(frozen=True)
class HistoryPage:
    """Changes, newest first; those of lower numbers than `next` follow, None after the last.

    A page may have fewer than were asked for though others follow, even none.
    """

    changes: Sequence[RowChange]
    next: int | None


class _Made(NamedTuple):
    row: Any
    effect: str


class RowHistory:
    """Reads the history of rows from the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, table: Table, key: int, limit: int, below: int | None = None) -> HistoryPage:
        """At most `limit` changes of that row; with `below` those of lower numbers only.

        Raises DatabaseUnavailable.
        """
        until = time.monotonic() + _SECONDS
        found: list[RowChange] = []
        with self._database.read() as connection:
            start = find_head(connection).number + 1 if below is None else below
            for number, made in _look_back(connection, table, key, start):
                if made is not None:
                    if len(found) == limit:
                        return HistoryPage(found, found[-1].number)
                    found.append(_read_change(connection, table, key, made))
                if time.monotonic() > until and number > 1:
                    return HistoryPage(found, number)
        return HistoryPage(found, None)


def _look_back(
    connection: Connection, table: Table, key: int, below: int
) -> Iterator[tuple[int, _Made | None]]:
    """The numbers under which the row was written, newest first, each with its change.

    Between them, and without a change, how far it has looked.
    """
    parts = changed_keys.c
    covering = and_(parts.table_name == table.name, parts.first_key <= key, parts.last_key >= key)
    for start in range(below, 1, -_NUMBERS_AT_ONCE):
        least = max(start - _NUMBERS_AT_ONCE, 1)
        numbers = changed_keys.c.number
        wanted = select(numbers).where(covering, numbers >= least, numbers < start)
        written = changed_keys.c.effect.in_(WRITTEN)
        order = wanted.where(written).distinct().order_by(numbers.desc())
        some = connection.scalars(order).all()
        for place in range(0, len(some), _BITMAPS_AT_ONCE):
            group = some[place : place + _BITMAPS_AT_ONCE]
            effects = _effects(connection, key, and_(covering, written, numbers.in_(group)))
            yield from _made(connection, effects)
            yield group[-1], None
        yield least, None


def _effects(connection: Connection, key: int, wanted: ColumnElement[bool]) -> dict[int, str]:
    """Of the wanted parts those that have the key: what each number did to it."""
    columns = (changed_keys.c.number, changed_keys.c.effect, changed_keys.c.bitmap)
    parts = connection.execute(select(*columns).where(wanted))
    return {number: effect for number, effect, keys in parts if key in BitMap.deserialize(keys)}


def _made(connection: Connection, effects: dict[int, str]) -> Iterator[tuple[int, _Made]]:
    """The changes of these numbers, newest first."""
    if effects:
        wanted = select(changes).where(changes.c.number.in_(effects))
        for made in connection.execute(wanted.order_by(changes.c.number.desc())):
            yield made.number, _Made(made, effects[made.number])


def _read_change(connection: Connection, table: Table, key: int, found: _Made) -> RowChange:
    made, effect = found
    was_there = effect != INSERTED
    before = _former_values(connection, table, made.entry, key) if was_there else None
    is_forgotten = was_there and before is None
    return RowChange(
        number=made.number,
        effect=effect,
        entry=made.entry,
        kind=made.kind,
        owner=made.owner,
        made_by=made.made_by,
        at=made.made_at,
        before=before,
        forgotten=_why_forgotten(made) if is_forgotten else None,
    )


def _why_forgotten(made: Any) -> Literal["expired", "erased"]:
    return "erased" if made.expired_at is None else "expired"


def _former_values(
    connection: Connection, table: Table, entry: str, key: int
) -> tuple[PlainValue, ...] | None:
    """The row as it was before the entry changed it; None if that is no longer kept."""
    rows = next(read_former(connection, table, entry, BitMap([key])), None)
    return None if rows is None else tuple(column[0].as_py() for column in rows.columns)


def as_json(table: Table, values: Sequence[PlainValue]) -> dict[str, PlainValue]:
    """A row's values by column; times per RFC 3339, in UTC, with a fraction only if they have one.

    That is how the queries service writes the row that is there now.
    """
    pairs = zip(table.columns, values, strict=True)
    return {
        column.name: _in_utc(value) if isinstance(column, DatetimeColumn) else value
        for column, value in pairs
    }


def _in_utc(value: PlainValue) -> str:
    return f"{datetime.fromisoformat(str(value)).isoformat()}Z"
