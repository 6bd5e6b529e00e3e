"""Erasure: one row is taken out of its table, of the journal and of the answers to batches.

That is one transaction, made at once on request, or by the loader in the erasure's turn if nobody
could before. It leaves a tombstone: uploads that were accepted before the erasure reject the row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, tuple_, update

from dbuploader.db.lookup import find_rows_of, referring_to
from dbuploader.db.schema import (
    batch_answers,
    changed_keys,
    changes,
    erased_rows,
    former_rows,
    ledger,
)
from dbuploader.journal.changes import (
    INSERTED,
    UNCHANGED,
    UPDATED,
    WRITTEN,
    Author,
    ChangeRecorder,
    enter,
    lock_head,
    pack_rows,
    unpack_rows,
)
from dbuploader.merge.summary import SUMMARISED, HiresDifferences, add_to_summary
from muster.contracts.tables import Table
from muster.contracts.tables.sql import sql_table
from muster.database import Database

_NAMED = 3
_BITMAPS_AT_ONCE = 16
# The answers do not say for which table they are, and may quote any value that was sent.
_WITHOUT_QUOTES = '{"errors": [], "errors_total": 0}'


@dataclass(frozen=True)
class Erasure:
    """The row with that key in `table` is to go, as the upload `entry` of that `sequence` says."""

    table: Table
    key: int
    entry: str
    sequence: int
    owner: str
    erased_by: str


class NothingToErase(Exception):
    """Neither the table nor the journal has ever had the row."""


class RowReferred(Exception):
    """Other rows refer to the row; the message names some of them."""


class Erasures:
    """Erases rows; safe to share between threads. Every call may raise DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, table: Table, key: int) -> None:
        """Return if the row can be erased; raises NothingToErase or RowReferred."""
        with self._database.read() as connection:
            ensure_erasable(connection, table, key)

    def erase(self, erasure: Erasure) -> int | None:
        """Erase the row, once; returns the number of the change, if it was one.

        Raises RowReferred, or ConstraintViolated if others have just referred to the row.
        """
        with self._database.write() as connection:
            return erase_row(connection, erasure)


def ensure_erasable(connection: Connection, table: Table, key: int) -> None:
    """Return if the row can be erased; raises NothingToErase or RowReferred."""
    _ensure_unreferred(connection, table, key, lock=False)
    keys = pa.array([key], pa.int64())
    there = len(find_rows_of(connection, table, keys, lock=False).batch())
    if not there and next(_writers(connection, table, key), None) is None:
        raise NothingToErase(f"{table.name} has no row {key}, and never had one.")


def erase_row(connection: Connection, erasure: Erasure) -> int | None:
    """Erase the row in this transaction, as its last act; returns the number of the change.

    It is None where neither table nor journal had the row. If it was done before, nothing is done
    again: what came since is not the erasure's. Raises RowReferred.
    """
    table, key = erasure.table, erasure.key
    # First, and locked: whatever wrote the row before can then be seen, and nothing else writes it.
    rows = find_rows_of(connection, table, pa.array([key], pa.int64()), lock=True).batch()
    if _is_done(connection, erasure):
        return _number_of(connection, erasure.entry)
    _ensure_unreferred(connection, table, key, lock=True)
    _remove(connection, table, key, rows)
    is_known = bool(len(rows))
    for number, entry in _writers(connection, table, key):
        is_known = True
        _forget_former(connection, table, key, number, entry)
    _unquote_answers(connection)
    # A load that holds the head reads the tombstones: it must not wait for one that waits for it.
    lock_head(connection)
    connection.execute(insert(erased_rows).values(_tombstone(erasure)))
    if not is_known:
        return None
    recorder = ChangeRecorder(connection, table, erasure.entry)
    recorder.erase(BitMap([key]), there=len(rows))
    author = Author(erasure.entry, "erasure", erasure.owner, erasure.erased_by)
    return enter(connection, author, recorder)


class Tombstones:
    """The rows that were erased by uploads of a greater sequence than that of an upload."""

    def __init__(self, rows: Sequence[tuple[str, int, int]]) -> None:
        self._rows = rows

    @classmethod
    def after(cls, connection: Connection, sequence: int, *, lock: bool = False) -> "Tombstones":
        """All beyond the sequence; with `lock` those that others have just committed, too."""
        columns = erased_rows.c
        wanted = select(columns.table_name, columns.row_key, columns.sequence)
        wanted = wanted.where(columns.sequence > sequence)
        found = connection.execute(wanted.with_for_update(read=True) if lock else wanted)
        return cls([(row.table_name, row.row_key, row.sequence) for row in found])

    def keys(self, table: Table, sequence: int) -> BitMap:
        """The keys in `table` that an upload of that sequence may not load."""
        return BitMap(
            key for name, key, erased in self._rows if name == table.name and erased > sequence
        )


def _ensure_unreferred(connection: Connection, table: Table, key: int, *, lock: bool) -> None:
    found = [
        f"{child.name} {some}"
        for child, foreign in referring_to(table)
        if (some := _some_referring(connection, child, foreign.column, key, lock=lock))
    ]
    if found:
        raise RowReferred(f"{' and '.join(found)} refer to {table.name} {key}: change these first.")


def _some_referring(
    connection: Connection, child: Table, column: str, key: int, *, lock: bool
) -> str:
    """The keys of some rows of `child` that refer to the key, as text; empty if none does."""
    target = sql_table(child.name)
    own = target.c[child.key]
    wanted = select(own).where(target.c[column] == key).order_by(own).limit(_NAMED + 1)
    keys = connection.scalars(wanted.with_for_update(read=True) if lock else wanted).all()
    more = " and others" if len(keys) > _NAMED else ""
    return ", ".join(map(str, keys[:_NAMED])) + more


def _remove(connection: Connection, table: Table, key: int, rows: pa.RecordBatch) -> None:
    if not len(rows):
        return
    target = sql_table(table.name)
    connection.execute(delete(target).where(target.c[table.key] == key))
    if table.name == SUMMARISED:
        differences = HiresDifferences()
        differences.remove(rows)
        add_to_summary(connection, differences.take())


def uploads_holding(connection: Connection, table: Table, key: int) -> list[str]:
    """The ids of uploads that have loaded the row, or held it as it was; others may hold it too."""
    of_number = select(ledger.c.upload_id)
    return [
        upload_id
        for number in _numbers_with(connection, table, key, {INSERTED, UPDATED, UNCHANGED})
        for upload_id in connection.scalars(of_number.where(ledger.c.number == number))
    ]


def _writers(connection: Connection, table: Table, key: int) -> Iterator[tuple[int, str]]:
    """The number and the entry of each change that wrote the row."""
    of_number = select(changes.c.entry)
    for number in _numbers_with(connection, table, key, {*WRITTEN}):
        for entry in connection.scalars(of_number.where(changes.c.number == number)):
            yield number, entry


def _numbers_with(
    connection: Connection, table: Table, key: int, effects: set[str]
) -> Iterator[int]:
    """The numbers that had one of the effects on the row."""
    columns = changed_keys.c
    covering = and_(
        columns.table_name == table.name,
        columns.first_key <= key,
        columns.last_key >= key,
        columns.effect.in_(effects),
    )
    place = tuple_(columns.number, columns.effect, columns.part)
    following = select(columns.number, columns.effect, columns.part, columns.bitmap).where(covering)
    following = following.order_by(columns.number, columns.effect, columns.part)
    following = following.limit(_BITMAPS_AT_ONCE)
    some = connection.execute(following).all()
    while some:
        yield from {part.number for part in some if key in BitMap.deserialize(part.bitmap)}
        last = some[-1]
        beyond = place > (last.number, last.effect, last.part)
        some = connection.execute(following.where(beyond)).all()


def _forget_former(connection: Connection, table: Table, key: int, number: int, entry: str) -> None:
    """Take the row out of the former rows of a change."""
    columns = former_rows.c
    covering = and_(columns.entry == entry, columns.first_key <= key, columns.last_key >= key)
    for part in connection.scalars(select(columns.part).where(covering)).all():
        this = and_(columns.entry == entry, columns.part == part)
        content = connection.scalars(select(columns.content).where(this)).one()
        rows = unpack_rows(content)
        others = rows.filter(pc.not_equal(rows.column(table.key), key))
        if len(others) == len(rows):
            continue
        saved = len(content) - _write_part(connection, table, this, others)
        made = changes.c.number == number
        fewer = changes.c.former_bytes - saved
        connection.execute(update(changes).where(made).values(former_bytes=fewer))


def _write_part(
    connection: Connection, table: Table, this: ColumnElement[bool], rows: pa.RecordBatch
) -> int:
    """Have the part hold these rows only; returns its bytes."""
    if not len(rows):
        connection.execute(delete(former_rows).where(this))
        return 0
    content = pack_rows(rows)
    span = pc.min_max(rows.column(table.key)).as_py()
    values = {"first_key": span["min"], "last_key": span["max"], "content": content}
    connection.execute(update(former_rows).where(this).values(values))
    return len(content)


def _unquote_answers(connection: Connection) -> None:
    rejected = batch_answers.c.status == 422
    connection.execute(update(batch_answers).where(rejected).values(body=_WITHOUT_QUOTES))


def _tombstone(erasure: Erasure) -> dict[str, Any]:
    return {
        "table_name": erasure.table.name,
        "row_key": erasure.key,
        "entry": erasure.entry,
        "sequence": erasure.sequence,
        "erased_by": erasure.erased_by,
        "erased_at": datetime.now(UTC).replace(tzinfo=None),
    }


def _is_done(connection: Connection, erasure: Erasure) -> bool:
    columns = erased_rows.c
    mine = and_(
        columns.table_name == erasure.table.name,
        columns.row_key == erasure.key,
        columns.entry == erasure.entry,
    )
    return connection.execute(select(columns.entry).where(mine)).first() is not None


def _number_of(connection: Connection, entry: str) -> int | None:
    return connection.scalars(select(changes.c.number).where(changes.c.entry == entry)).first()
