"""Changes: which rows an upload, a batch, an undo or an erasure wrote, and what they were before.

A change has a number, given when all else of its transaction is done: numbers have no gap, they are
in the order of the commits, and whoever sees a number sees all before it. New rows cost the journal
a bitmap of their keys; of rows that were updated or removed it keeps the former values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Connection, insert, select, update

from dbuploader.arrow import bitmap_of
from dbuploader.db.rows import execute_many
from dbuploader.db.schema import changed_keys, changes, former_rows, journal_head
from muster.contracts.tables import Table

INSERTED, UPDATED, REMOVED, UNCHANGED = "inserted", "updated", "removed", "unchanged"
WRITTEN = (INSERTED, UPDATED, REMOVED)
"""The effects that are changes."""

# What a part takes in memory; in the database, compressed, it is a third of it.
_PART_BYTES = 4 * 1024**2
# MariaDB takes 16 MiB at once, and a key at most 10 bytes.
_KEYS_IN_PART = 500_000
_HELD_BYTES = 16 * 1024**2
_PARTS_AT_ONCE = 8

_FIND_HEAD = select(journal_head.c.number, journal_head.c.receipt)
_LOCK_HEAD = _FIND_HEAD.with_for_update()
_MOVE_HEAD = update(journal_head)
_ENTER = insert(changes)
_ENTER_KEYS = insert(changed_keys)
_KEEP_ROWS = insert(former_rows)


@dataclass(frozen=True)
class Author:
    """Who makes a change, and through what: `entry` is the upload's id, or one of the batch's own.

    `kind` is `upload`, `batch`, `undo` or `erasure`; `undoes` the number of the change undone.
    """

    entry: str
    kind: str
    owner: str
    made_by: str
    undoes: int | None = None


class ChangeRecorder:
    """Notes what is done to the rows of `table` under the id `entry`, as it is done.

    Former rows are held until `flush` writes them in the transaction of `connection`. Call it when
    the recorder `is_full`, and at the end.
    """

    def __init__(self, connection: Connection, table: Table, entry: str) -> None:
        self.table = table
        self.entry = entry
        self.keys = {effect: BitMap() for effect in (*WRITTEN, UNCHANGED)}
        self.former_bytes = 0
        self._not_there = 0
        self._connection = connection
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._parts: list[tuple[Any, ...]] = []
        self._count = 0
        self._held = 0

    @property
    def has_written(self) -> bool:
        """Whether any row was inserted, updated or removed: then this is a change."""
        return any(self.keys[effect] for effect in WRITTEN)

    def insert(self, rows: pa.RecordBatch) -> None:
        """These rows are new."""
        self._note(INSERTED, rows)

    def update(self, before: pa.RecordBatch) -> None:
        """These rows get other values: here they are as they were."""
        self._note(UPDATED, before)
        self._keep(before)

    def remove(self, before: pa.RecordBatch) -> None:
        """These rows go: here they are as they were."""
        self._note(REMOVED, before)
        self._keep(before)

    def erase(self, keys: BitMap, *, there: int) -> None:
        """Rows with these keys are erased, of which so many were still `there`; none is kept.

        Those that an undo had removed before are not to come back either.
        """
        self.keys[REMOVED] |= keys
        self._not_there += len(keys) - there

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many rows were inserted, updated and removed."""
        inserted, updated, removed = (len(self.keys[effect]) for effect in WRITTEN)
        return inserted, updated, removed - self._not_there

    def hold(self, rows: pa.RecordBatch) -> None:
        """These rows were there with the same values."""
        self._note(UNCHANGED, rows)

    @property
    def is_full(self) -> bool:
        """Whether the former rows that are held take much memory."""
        return self._held >= _HELD_BYTES

    def flush(self) -> None:
        """Write the former rows that are held."""
        self._pack()
        parts, self._parts, self._held = self._parts, [], 0
        for part in parts:
            execute_many(self._connection, _KEEP_ROWS, [part])

    def _note(self, effect: str, rows: pa.RecordBatch) -> None:
        if len(rows):
            self.keys[effect] |= bitmap_of(rows.column(self.table.key))

    def _keep(self, before: pa.RecordBatch) -> None:
        if not len(before):
            return
        self._waiting.append(before)
        self._waiting_bytes += before.nbytes
        if self._waiting_bytes >= _PART_BYTES:
            self._pack()

    def _pack(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_batches(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        for some in _parts_of(rows):
            content = pack_rows(some)
            span = bitmap_of(some.column(self.table.key))
            self._parts.append((self.entry, self._count, span.min(), span.max(), content))
            self._count += 1
            self._held += len(content)
            self.former_bytes += len(content)


def _parts_of(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    count = max(-(-rows.nbytes // (2 * _PART_BYTES)), 1)
    size = -(-len(rows) // count)
    for start in range(0, len(rows), size):
        yield rows.slice(start, size)


def pack_rows(rows: pa.RecordBatch) -> bytes:
    """The rows as the journal keeps them: an Arrow IPC stream, compressed by zstd."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def unpack_rows(content: bytes) -> pa.RecordBatch:
    """The rows that pack_rows() was given."""
    with pa.ipc.open_stream(content) as reader:
        return pa.concat_batches([*reader])


class Head(NamedTuple):
    """The latest number given, and the SHA-256 of the latest receipt, in hexadecimal."""

    number: int
    receipt: str | None


def find_head(connection: Connection) -> Head:
    """The head of the journal as it is committed; others may move it."""
    return Head(*connection.execute(_FIND_HEAD).one())


def lock_head(connection: Connection) -> Head:
    """Keep the head of the journal from others until the transaction ends.

    To be called when all else is done: from here to COMMIT every other writer waits.
    """
    return Head(*connection.execute(_LOCK_HEAD).one())


def move_head(connection: Connection, head: Head) -> None:
    """Have the next numbers begin behind this."""
    connection.execute(_MOVE_HEAD, {"number": head.number, "receipt": head.receipt})


class Numbered(NamedTuple):
    """What was done under a number."""

    number: int
    author: Author
    recorder: ChangeRecorder


def enter(connection: Connection, author: Author, recorder: ChangeRecorder) -> int:
    """Enter one change, as the last act of its transaction; returns its number."""
    head = lock_head(connection)
    number = head.number + 1
    write_changes(connection, [Numbered(number, author, recorder)])
    move_head(connection, head._replace(number=number))
    return number


def write_changes(connection: Connection, numbered: Sequence[Numbered]) -> None:
    """Enter into the journal what was done: the changes, and the keys that each held."""
    now = datetime.now(UTC).replace(tzinfo=None)
    made = [_change(each, now) for each in numbered if each.recorder.has_written]
    execute_many(connection, _ENTER, made)
    keys = [part for each in numbered for part in _key_parts(each)]
    for start in range(0, len(keys), _PARTS_AT_ONCE):
        execute_many(connection, _ENTER_KEYS, keys[start : start + _PARTS_AT_ONCE])


def _change(each: Numbered, now: datetime) -> tuple[Any, ...]:
    author, recorder = each.author, each.recorder
    return (
        each.number,
        author.entry,
        author.kind,
        recorder.table.name,
        author.owner,
        author.made_by,
        now.isoformat(" ", "microseconds"),
        author.undoes,
        *recorder.counts,
        recorder.former_bytes,
        None,
    )


def _key_parts(each: Numbered) -> Iterator[tuple[Any, ...]]:
    for effect, keys in each.recorder.keys.items():
        for part, start in enumerate(range(0, len(keys), _KEYS_IN_PART)):
            some = keys[start : start + _KEYS_IN_PART]
            some.run_optimize()
            span = (some.min(), some.max())
            table = each.recorder.table.name
            yield (each.number, effect, part, table, *span, some.serialize())
