"""Merging rows into their table within a transaction, as uploads and batches both do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.arrow import bitmap_of, equal_rows, find_rows, kept
from dbuploader.db.lookup import FoundRows, find_rows_of
from dbuploader.db.rows import write_rows
from dbuploader.merge.summary import SUMMARISED, HiresDifferences, add_to_summary
from muster.contracts.tables import Table


class KeysChanged(Exception):
    """Keys that were free, or parents that existed, have changed since they were looked up."""


@dataclass
class MergeCounts:
    """How many rows were merged in which way, or would be."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


class MergePlan(NamedTuple):
    """The new rows, the changed ones as they are before and after, and the unchanged ones."""

    new: pa.RecordBatch
    before: pa.RecordBatch
    after: pa.RecordBatch
    same: pa.RecordBatch


class Changes(Protocol):
    """Who is told what a merge does to the rows, as it is done, and keeps it.

    `flush` uses the connection of the merge: call it when all is told, or it `is_full`.
    """

    @property
    def is_full(self) -> bool:
        """Whether `flush` is to be called."""

    def insert(self, rows: pa.RecordBatch, /) -> None:
        """These rows are new."""

    def update(self, before: pa.RecordBatch, /) -> None:
        """These rows get other values: here they are as they were."""

    def hold(self, rows: pa.RecordBatch, /) -> None:
        """These rows were there with the same values."""

    def flush(self) -> None:
        """Write what is held."""


class Classifier:
    """Tells new, changed and unchanged rows apart, and counts them.

    `differences` are those of the summary, None for a table that it does not count.
    """

    def __init__(self, connection: Connection, table: Table, *, lock: bool) -> None:
        self._connection = connection
        self._table = table
        self._lock = lock
        self.counts = MergeCounts()
        self.differences = HiresDifferences() if table.name == SUMMARISED else None

    def plan(self, rows: pa.RecordBatch) -> MergePlan:
        """What merging `rows`, whose keys are distinct, would do."""
        return self.compare(rows, self.look_up(rows))

    def look_up(self, rows: pa.RecordBatch) -> FoundRows:
        """The rows in the database that have the keys of `rows`, and possibly more."""
        keys = rows.column(self._table.key)
        return find_rows_of(self._connection, self._table, keys, lock=self._lock)

    def compare(self, rows: pa.RecordBatch, existing: FoundRows) -> MergePlan:
        """As plan(), given what look_up() found."""
        if not len(existing):
            return self.take_new(rows)
        keys = rows.column(self._table.key)
        known, found = find_rows(keys, existing.batch(), self._table.key)
        present = kept(rows, known)
        same = equal_rows(present, found)
        changed = pc.invert(same)
        plan = MergePlan(
            kept(rows, pc.invert(known)),
            kept(found, changed),
            kept(present, changed),
            kept(present, same),
        )
        return self._count(plan)

    def take_new(self, rows: pa.RecordBatch) -> MergePlan:
        """As plan(), for rows of which none exists."""
        return self._count(MergePlan(rows, rows[:0], rows[:0], rows[:0]))

    def _count(self, plan: MergePlan) -> MergePlan:
        self.counts.inserted += len(plan.new)
        self.counts.updated += len(plan.after)
        self.counts.unchanged += len(plan.same)
        if self.differences is not None:
            self.differences.add(plan.new)
            self.differences.add(plan.after)
            self.differences.remove(plan.before)
        return plan


class Merge:
    """Merges rows into `table` within the transaction of `connection`.

    It keeps the summary, and tells `changes` what it does. With `insert` none of the keys may
    exist. No existing row with a key in `only_inserted` is changed.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        changes: Changes,
        *,
        insert: bool = False,
        only_inserted: BitMap | None = None,
    ) -> None:
        self._changes = changes
        self._connection = connection
        self._table = table
        self._insert = insert
        # The caller may add to it meanwhile.
        self._only_inserted = BitMap() if only_inserted is None else only_inserted
        self._classifier = Classifier(connection, table, lock=True)

    @property
    def counts(self) -> MergeCounts:
        """The rows merged so far."""
        return self._classifier.counts

    @property
    def differences(self) -> HiresDifferences | None:
        """What is merged so far changes in the summary; it holds what is not written there yet."""
        return self._classifier.differences

    def add(self, rows: pa.RecordBatch) -> None:
        """Merge rows with distinct keys; raises KeysChanged, ConstraintViolated and RowsDamaged."""
        if not len(rows):
            return
        self._merge(self._plan(in_order(rows, self._table.key)))

    def finish(self) -> None:
        """Bring summary and journal up to date; call it before the transaction ends."""
        self._summarise()
        self._execute(self._changes.flush)

    def _plan(self, rows: pa.RecordBatch) -> MergePlan:
        return self._classifier.plan(rows)

    def _merge(self, plan: MergePlan) -> None:
        if self._insert and self.counts.updated + self.counts.unchanged:
            raise KeysChanged
        changed = plan.after.column(self._table.key)
        if self._only_inserted and self._only_inserted.intersection(bitmap_of(changed)):
            raise KeysChanged
        for some, replace in ((plan.new, False), (plan.after, True)):
            if len(some):
                self._write(some, replace=replace)
        self._note(plan)

    def _write(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        write_rows(self._connection, self._table.name, rows, replace=replace)

    def _execute(self, call: Callable[[], None]) -> None:
        call()

    def _note(self, plan: MergePlan) -> None:
        self._changes.insert(plan.new)
        self._changes.update(plan.before)
        self._changes.hold(plan.same)
        self._make_room()

    def _make_room(self) -> None:
        if self._changes.is_full:
            self._execute(self._changes.flush)
        if self.differences is not None and self.differences.is_full:
            self._summarise()

    def _summarise(self) -> None:
        if self.differences is not None:
            add_to_summary(self._connection, self.differences.take())


def are_outside(span: tuple[int, int] | None, rows: pa.RecordBatch, key: str) -> bool:
    """Whether rows, in the order of `key`, all have keys below the span or all above it.

    A span that is None has no key within.
    """
    keys = rows.column(key)
    return span is None or keys[-1].as_py() < span[0] or span[1] < keys[0].as_py()


def in_order(rows: pa.RecordBatch, key: str) -> pa.RecordBatch:
    """The rows in the order of their key, so that the database finds neighbours together."""
    keys = rows.column(key)
    ordered = pc.all(pc.less(keys[:-1], keys[1:]), min_count=0).as_py()
    return rows if ordered else rows.sort_by(key)
