"""Merging rows into their table: what uploads and batches do alike, within a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from dbuploader.columns import equal_rows, find_rows
from dbuploader.repository.rows import insert_rows, replace_rows, rows_by_key
from dbuploader.repository.summary import SUMMARISED, add_to_summary
from dbuploader.summary import HiresDifferences
from muster.tables import Table

_SUMMARY_GROUPS_HELD = 50_000


class KeysChanged(Exception):
    """Keys that were found free, or parents that were there, have changed since."""


@dataclass
class MergeCounts:
    """Rows by what merging them did, or would do."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


class Split(NamedTuple):
    """The new rows, and the changed ones as they were before and as they are after."""

    new: pa.RecordBatch
    before: pa.RecordBatch
    after: pa.RecordBatch


class Classifier:
    """Tells new rows, changed rows and rows that are there already apart, and counts them."""

    def __init__(self, connection: Connection, table: Table, *, lock: bool) -> None:
        self._connection = connection
        self._table = table
        self._lock = lock
        self.counts = MergeCounts()

    def split(self, rows: pa.RecordBatch) -> Split:
        """Tell rows with distinct keys apart."""
        keys = rows.column(self._table.key)
        existing = rows_by_key(self._connection, self._table, keys, lock=self._lock)
        known, found = find_rows(keys, existing, self._table.key)
        present = rows.filter(known)
        changed = pc.invert(equal_rows(present, found))
        split = Split(rows.filter(pc.invert(known)), found.filter(changed), present.filter(changed))
        self.counts.inserted += len(split.new)
        self.counts.updated += len(split.after)
        self.counts.unchanged += len(present) - len(split.after)
        return split


class Merge:
    """Merges rows into `table` within the transaction of `connection`, and keeps the summary.

    With `insert` none of the keys may be there.
    """

    def __init__(self, connection: Connection, table: Table, *, insert: bool = False) -> None:
        self._connection = connection
        self._table = table
        self._insert = insert
        self._classifier = Classifier(connection, table, lock=True)
        self._differences = HiresDifferences() if table.name == SUMMARISED else None

    @property
    def counts(self) -> MergeCounts:
        """What became of the rows so far."""
        return self._classifier.counts

    def add(self, rows: pa.RecordBatch) -> None:
        """Merge rows with distinct keys; raises KeysChanged."""
        split = self._classifier.split(in_order(rows, self._table.key))
        if self._insert and len(split.new) < len(rows):
            raise KeysChanged
        insert_rows(self._connection, self._table.name, split.new)
        replace_rows(self._connection, self._table.name, split.after)
        self._summarise(lambda differences: _note(split, differences))

    def finish(self) -> None:
        """Bring the summary up to date; to be called before the transaction ends."""
        if self._differences is not None:
            add_to_summary(self._connection, self._differences.take())

    def _summarise(self, note: Callable[[HiresDifferences], None]) -> None:
        if self._differences is not None:
            note(self._differences)
            if len(self._differences) > _SUMMARY_GROUPS_HELD:
                self.finish()


def in_order(rows: pa.RecordBatch, key: str) -> pa.RecordBatch:
    """The rows in the order of their key, in which the database finds neighbours together."""
    keys = rows.column(key)
    ordered = pc.all(pc.less(keys[:-1], keys[1:]), min_count=0).as_py()
    return rows if ordered else rows.sort_by(key)


def _note(split: Split, differences: HiresDifferences) -> None:
    differences.add(split.new)
    differences.add(split.after)
    differences.remove(split.before)
