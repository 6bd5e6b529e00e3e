"""Undo: which rows of a change can be taken back, and taking them back, within a transaction.

A row is taken back if, since the change, nothing has touched it, or only changes that are undone
together with their undos: then it is as the change has left it. Whatever else has touched it is a
later change, for which the row is kept. An undo of an earlier change is one, too: the two don't
cancel out within what followed. Nor is anything taken away to which others refer, or brought back
that refers to what is gone: such rows are blocked.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.arrow import bitmap_of, find_rows, keys_of
from dbuploader.db.lookup import (
    existing_keys,
    find_referred,
    find_referring,
    find_rows_of,
    lock_keys,
    referring_to,
)
from dbuploader.journal.changes import INSERTED, REMOVED, ChangeRecorder
from dbuploader.journal.lookup import (
    Touch,
    find_change,
    later_holders,
    later_writes,
    read_former,
    read_written,
)
from dbuploader.merge.bulk import BulkMerge
from dbuploader.merge.load_data import RowFiles
from dbuploader.merge.merge import KeysChanged
from dbuploader.merge.removal import ROWS_AT_ONCE, Removal
from dbuploader.merge.summary import SUMMARISED, HiresDifferences
from muster.contracts.error_codes import RowErrorCode
from muster.contracts.tables import ForeignKey, Table
from muster.contracts.uploads import LaterHolder, UndoCounts
from muster.database import Reads

MOST_HOLDERS = 20
# Rows are locked, looked at, and written.
_ROUNDS = 3
_NAMED = 3
_PARENTS_HELD = 100_000
_EXPLAINED_AT_ONCE = 1_000

_NOT_KEPT = "what it was before is not kept"
_KINDS = {"upload": "an upload", "batch": "a batch", "undo": "an undo", "erasure": "an erasure"}


class NothingToUndo(Exception):
    """The upload has written nothing, or what it wrote can't be taken back."""


class AlreadyUndone(Exception):
    """Every row that the change wrote is as it was before it, by the undo of that number."""

    def __init__(self, by: int) -> None:
        super().__init__(f"undone by {by}")
        self.by = by


class UndoExpired(Exception):
    """The rows as they were before the change are no longer kept."""


class Interrupted(Exception):
    """Another thread wants this one to end."""


@dataclass
class UndoPlan:
    """What becomes of the rows of the change `number`, by their keys.

    Those of `rows` are in one of the others each. `absent` are to be brought back, and not there.
    """

    number: int
    entry: str
    rows: BitMap
    remove: BitMap = field(default_factory=BitMap)
    restore: BitMap = field(default_factory=BitMap)
    absent: BitMap = field(default_factory=BitMap)
    kept: BitMap = field(default_factory=BitMap)
    blocked: BitMap = field(default_factory=BitMap)

    @property
    def counts(self) -> UndoCounts:
        """How many rows there are of each."""
        return UndoCounts(
            written=len(self.rows),
            restored=len(self.restore),
            removed=len(self.remove),
            kept=len(self.kept),
            blocked=len(self.blocked),
        )

    @property
    def taken_back(self) -> BitMap:
        """The rows that the undo writes."""
        return self.remove | self.restore


class Leave(Protocol):
    """Is told of the rows that are left as they are."""

    def __call__(
        self, code: RowErrorCode, rows: Iterable[tuple[int, str]], upload: str | None = None
    ) -> None:
        """The code of the rows, of each its key and a message, and the upload that it is about."""


class Undo:
    """Takes back what the upload `entry` did to the rows of `table`.

    `leave` is told which rows are left, and `worked`, again and again, what share of the work is
    done. `interrupt` may be called from another thread. `differences` are those of the summary,
    None for a table that it does not count.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        entry: str,
        leave: Leave,
        worked: Callable[[float], None],
    ) -> None:
        self._connection = connection
        self._table = table
        self._entry = entry
        self._leave = leave
        self._worked = worked
        self._merge: BulkMerge | None = None
        self.differences: HiresDifferences | None = None
        self._is_interrupted = False
        self._done, self._total = 0, 1

    def interrupt(self) -> None:
        """Have what runs raise Interrupted, soon; the transaction can then only be abandoned."""
        self._is_interrupted = True
        if self._merge is not None:
            self._merge.interrupt()

    def plan(self, *, lock: bool) -> UndoPlan:
        """What is to become of each row; with `lock`, nobody else changes them from here on.

        Raises NothingToUndo, AlreadyUndone and UndoExpired.
        """
        change = find_change(self._connection, self._entry)
        if change is None or change.kind == "erasure":
            raise NothingToUndo
        if change.is_expired:
            raise UndoExpired
        written = read_written(self._connection, change.number)
        plan = UndoPlan(change.number, change.entry, BitMap.union(*written.values()))
        self._total = _ROUNDS * len(plan.rows)
        if lock:
            # First: who changes a row now waits, and whoever has changed it is seen below.
            self._lock(plan.rows)
        self._keep_touched(plan)
        left = plan.rows - plan.kept
        plan.remove = left & written[INSERTED]
        self._block_referred(plan)
        plan.restore = left - written[INSERTED]
        self._check_former(plan)
        plan.absent = plan.restore & written[REMOVED]
        return plan

    def take_back(
        self, plan: UndoPlan, changes: ChangeRecorder, files: RowFiles, journal: Reads
    ) -> None:
        """Remove and restore the rows, and tell `changes`; raises as a merge does.

        Former rows are read from `journal`, as a thread of its own has the connection.
        """
        with BulkMerge(
            self._connection,
            self._table,
            changes,
            files,
            insert=False,
            # What was not there when it was looked for, and is now, is somebody else's.
            only_inserted=plan.absent,
        ) as merge:
            self._merge = merge
            removal = Removal(self._connection, self._table, changes, merge.differences)
            for some in _slices(plan.remove):
                self._heed(len(some))
                removal.remove(some)
            if plan.restore:
                with journal.read() as connection:
                    self._restore(plan, merge, connection)
            merge.finish()
        self.differences = merge.differences

    def try_out(self, plan: UndoPlan) -> None:
        """Count what taking the rows back would change in the summary."""
        if self._table.name != SUMMARISED:
            return
        self.differences = HiresDifferences()
        for some in _slices(plan.remove):
            self._heed(len(some))
            self.differences.remove(self._read(some))
        for rows in self._former(self._connection, plan, plan.restore):
            self.differences.add(rows)
            for some in _slices(bitmap_of(rows.column(self._table.key))):
                self.differences.remove(self._read(some))
            if self.differences.is_full:
                self.differences.take()

    def _restore(self, plan: UndoPlan, merge: BulkMerge, journal: Connection) -> None:
        restored = 0
        for rows in self._former(journal, plan, plan.restore):
            restored += len(rows)
            merge.add(rows)
        if restored < len(plan.restore):
            # They have expired just now.
            raise KeysChanged

    def _read(self, keys: BitMap) -> pa.RecordBatch:
        """The rows that have these keys, as they are now."""
        wanted = keys_of(keys)
        found = find_rows_of(self._connection, self._table, wanted, lock=False).batch()
        return find_rows(wanted, found, self._table.key)[1]

    def _former(
        self, journal: Connection, plan: UndoPlan, keys: BitMap
    ) -> Iterator[pa.RecordBatch]:
        for rows in read_former(journal, self._table, plan.entry, keys):
            self._heed(len(rows))
            yield rows

    def _heed(self, rows: int) -> None:
        if self._is_interrupted:
            raise Interrupted
        self._done += rows
        self._worked(self._done / self._total)

    def _lock(self, rows: BitMap) -> None:
        for some in _slices(rows):
            self._heed(len(some))
            lock_keys(self._connection, self._table, keys_of(some))

    def _keep_touched(self, plan: UndoPlan) -> None:
        """Keep what later changes have touched, going back from the newest."""
        cancelled: dict[int, BitMap] = defaultdict(BitMap)
        kept: list[tuple[Touch, BitMap]] = []
        undone_by: Touch | None = None
        for touch in later_writes(self._connection, self._table, plan.number, plan.rows):
            self._heed(0)
            live = touch.keys - cancelled.pop(touch.number, BitMap())
            if touch.undoes is not None and touch.undoes >= plan.number:
                cancelled[touch.undoes] |= live
            if touch.undoes == plan.number and undone_by is None and live:
                undone_by = touch
            if touch.undoes is None or touch.undoes <= plan.number:
                kept.append((touch, live - plan.kept))
                plan.kept |= live
        if undone_by is not None and cancelled[plan.number] == plan.rows:
            raise AlreadyUndone(undone_by.number)
        for touch, keys in kept:
            why = _why_kept(touch, plan.number)
            upload = None if touch.kind == "batch" else touch.entry
            self._leave("kept", ((key, why) for key in keys), upload)

    def _block_referred(self, plan: UndoPlan) -> None:
        """Leave rows that are to go, but that others refer to."""
        for child, foreign in referring_to(self._table):
            for some in _slices(plan.remove):
                self._heed(0)
                keys = keys_of(some)
                referred = find_referred(self._connection, foreign, child.name, keys)
                self._block(plan, plan.remove, referred, partial(self._referring, child, foreign))

    def _check_former(self, plan: UndoPlan) -> None:
        """Leave rows whose former values are not kept, or refer to what is gone."""
        missing = plan.restore.copy()
        known: Mapping[str, BitMap] = defaultdict(BitMap)
        for rows in self._former(self._connection, plan, plan.restore.copy()):
            missing -= bitmap_of(rows.column(self._table.key))
            for foreign in self._table.foreign_keys:
                self._block_orphans(plan, foreign, rows, known[foreign.parent])
        plan.restore -= missing
        plan.kept |= missing
        self._leave("kept", ((key, _NOT_KEPT) for key in missing))

    def _block_orphans(
        self, plan: UndoPlan, foreign: ForeignKey, rows: pa.RecordBatch, known: BitMap
    ) -> None:
        parents = rows.column(foreign.column)
        wanted = bitmap_of(parents) - known
        there = BitMap(existing_keys(self._connection, foreign.parent, [*wanted]))
        known |= there
        gone = wanted - there
        if gone:
            orphaned = rows.filter(pc.is_in(parents, value_set=keys_of(gone).cast(parents.type)))
            keys = orphaned.column(self._table.key).to_pylist()
            lacking = dict(zip(keys, orphaned.column(foreign.column).to_pylist(), strict=True))
            messages = {key: _why_orphaned(foreign, lacking[key]) for key in keys}
            self._block(plan, plan.restore, BitMap(keys), lambda _some: messages)
        if len(known) > _PARENTS_HELD:
            known.clear()

    def _block(
        self,
        plan: UndoPlan,
        rows: BitMap,
        keys: BitMap,
        explain: Callable[[BitMap], Mapping[int, str]],
    ) -> None:
        """Have those `keys` that are among `rows` blocked."""
        new = rows & keys
        rows -= new
        plan.blocked |= new
        for some in _slices(new, _EXPLAINED_AT_ONCE):
            why = explain(some)
            self._leave("blocked", ((key, why[key]) for key in some))

    def _referring(self, child: Table, foreign: ForeignKey, keys: BitMap) -> Mapping[int, str]:
        found = find_referring(self._connection, foreign, child, [*keys], _NAMED + 1)
        return {key: _why_referred(child, found[key]) for key in keys}


def find_holders(
    connection: Connection, table: Table, plan: UndoPlan
) -> tuple[tuple[LaterHolder, ...], int]:
    """Who later held rows unchanged that the undo removes or restores, and how many they are.

    Most rows first, MOST_HOLDERS at most.
    """
    found: list[LaterHolder] = []
    total = 0
    for touch in later_holders(connection, table, plan.number, plan.taken_back):
        total += 1
        change = None if touch.kind is None else touch.number
        upload = None if touch.kind == "batch" else touch.entry
        found.append(LaterHolder(change, upload, len(touch.keys)))
        if len(found) > 2 * MOST_HOLDERS:
            found = _most(found)
    return tuple(_most(found)), total


def _most(holders: list[LaterHolder]) -> list[LaterHolder]:
    return sorted(holders, key=lambda holder: -holder.rows)[:MOST_HOLDERS]


def _slices(keys: BitMap, size: int = ROWS_AT_ONCE) -> Iterator[BitMap]:
    """The keys in their order, so many at once."""
    rest = keys.copy()
    while rest:
        some = rest[:size]
        rest.remove_range(some.min(), some.max() + 1)
        yield some


def _why_kept(touch: Touch, number: int) -> str:
    what = _KINDS.get(touch.kind or "", "another change")
    done = "took it back already" if touch.undoes == number else "changed it later"
    return f"{what} {done} (change {touch.number})"


def _why_referred(child: Table, keys: list[int]) -> str:
    named = ", ".join(map(str, keys[:_NAMED]))
    more = " and others" * (len(keys) > _NAMED)
    return f"{child.name} {named}{more} refer to it: take those back first"


def _why_orphaned(foreign: ForeignKey, key: int) -> str:
    return f"it was of {foreign.column} {key}, and {foreign.parent} has no {key}: load that first"
