"""What the journal holds, read again: a change, the keys that it wrote, the rows as they were."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import ColumnElement, Connection, Select, and_, select

from dbuploader.arrow import bitmap_of, keys_of
from dbuploader.db.schema import changed_keys, changes, former_rows, ledger
from dbuploader.journal.changes import UNCHANGED, WRITTEN, unpack_rows
from muster.contracts.tables import Table

# A bitmap takes at most 1.3 MB.
_PARTS_AT_ONCE = 32


class MadeChange(NamedTuple):
    """A change as it was entered; `undoes` is the number of the one that it took back."""

    number: int
    entry: str
    kind: str
    undoes: int | None
    is_expired: bool


class Touch(NamedTuple):
    """Keys that were written, or held, under a number.

    `entry` is the upload's id or the batch's own. It is None, and so is `kind`, of a batch that
    wrote nothing, and `kind` alone of such an upload.
    """

    number: int
    entry: str | None
    kind: str | None
    undoes: int | None
    keys: BitMap


def find_change(connection: Connection, entry: str) -> MadeChange | None:
    """What the upload of that id has changed; None if it wrote no row."""
    row = connection.execute(_MADE.where(changes.c.entry == entry)).first()
    return None if row is None else _made(*row)


def find_undos(connection: Connection, number: int) -> list[MadeChange]:
    """The changes that took that one back, if only some of its rows, newest first."""
    undos = _MADE.where(changes.c.undoes == number).order_by(changes.c.number.desc())
    return [_made(*row) for row in connection.execute(undos)]


def find_numbered(connection: Connection, number: int) -> MadeChange | None:
    """The change of that number."""
    row = connection.execute(_MADE.where(changes.c.number == number)).first()
    return None if row is None else _made(*row)


def read_written(connection: Connection, number: int) -> dict[str, BitMap]:
    """The keys that were written under the number, by what was done to their rows."""
    wanted = select(changed_keys.c.effect, changed_keys.c.bitmap).where(
        changed_keys.c.number == number, changed_keys.c.effect.in_(WRITTEN)
    )
    keys = {effect: BitMap() for effect in WRITTEN}
    for effect, bitmap in connection.execute(wanted):
        keys[effect] |= BitMap.deserialize(bitmap)
    return keys


def later_writes(connection: Connection, table: Table, after: int, keys: BitMap) -> Iterator[Touch]:
    """The changes behind that number which wrote any of the keys, newest first."""
    return _touches(connection, table, after, keys, WRITTEN)


def later_holders(
    connection: Connection, table: Table, after: int, keys: BitMap
) -> Iterator[Touch]:
    """What held any of the keys unchanged, under the numbers behind that one, newest first."""
    return _touches(connection, table, after, keys, (UNCHANGED,))


def read_former(
    connection: Connection, table: Table, entry: str, keys: BitMap
) -> Iterator[pa.RecordBatch]:
    """The rows with these keys as they were before that entry, part by part."""
    if not keys:
        return
    parts = former_rows.c
    spans = and_(parts.entry == entry, parts.first_key <= keys.max(), parts.last_key >= keys.min())
    numbers = connection.scalars(select(parts.part).where(spans).order_by(parts.part)).all()
    for number in numbers:
        content = select(parts.content).where(parts.entry == entry, parts.part == number)
        rows = unpack_rows(connection.scalars(content).one())
        wanted = keys & bitmap_of(rows.column(table.key))
        some = rows.filter(pc.is_in(rows.column(table.key), value_set=keys_of(wanted)))
        if len(some):
            yield some


_MADE = select(
    changes.c.number, changes.c.entry, changes.c.kind, changes.c.undoes, changes.c.expired_at
)


def _made(
    number: int, entry: str, kind: str, undoes: int | None, expired_at: datetime | None
) -> MadeChange:
    return MadeChange(number, entry, kind, undoes, expired_at is not None)


def _touches(
    connection: Connection, table: Table, after: int, keys: BitMap, effects: Sequence[str]
) -> Iterator[Touch]:
    if not keys:
        return
    parts = changed_keys.c
    overlapping = and_(
        parts.table_name == table.name,
        parts.number > after,
        parts.effect.in_(effects),
        parts.first_key <= keys.max(),
        parts.last_key >= keys.min(),
    )
    order = select(parts.number).where(overlapping).order_by(parts.number.desc())
    numbers = connection.scalars(order).all()
    for start in range(0, len(numbers), _PARTS_AT_ONCE):
        # What lies across the limit is read with those behind it.
        some = {*numbers[start : start + _PARTS_AT_ONCE]} - {*numbers[max(start - 1, 0) : start]}
        if some:
            yield from _read_touches(connection, keys, and_(overlapping, parts.number.in_(some)))


def _read_touches(
    connection: Connection, keys: BitMap, wanted: ColumnElement[bool]
) -> Iterator[Touch]:
    rows = connection.execute(_touching(wanted))
    for number, group in groupby(rows, attrgetter("number")):
        parts = [*group]
        touched = BitMap()
        for part in parts:
            touched |= BitMap.deserialize(part.bitmap) & keys
        if touched:
            entry = parts[0].entry or parts[0].upload_id
            yield Touch(number, entry, parts[0].kind, parts[0].undoes, touched)


def _touching(wanted: ColumnElement[bool]) -> Select[Any]:
    number = changed_keys.c.number
    columns = (number, changed_keys.c.bitmap, changes.c.entry, changes.c.kind, changes.c.undoes)
    both = changed_keys.outerjoin(changes, changes.c.number == number)
    everything = both.outerjoin(ledger, ledger.c.number == number)
    found = select(*columns, ledger.c.upload_id).select_from(everything)
    return found.where(wanted).order_by(number.desc())
