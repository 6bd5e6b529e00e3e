"""Merging rows into their table: what uploads and batches do alike, within a transaction."""

from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from dbuploader.columns import equal_rows, find_rows
from dbuploader.repository.rows import insert_rows, replace_rows, rows_by_key
from dbuploader.repository.summary import add_to_summary
from dbuploader.summary import SUMMARISED, HiresDifferences
from muster.tables import Table

_SUMMARY_GROUPS_HELD = 50_000


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
    """Merges rows into `table` within the transaction of `connection`, and keeps the summary."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._classifier = Classifier(connection, table, lock=True)
        self._differences = HiresDifferences() if table.name == SUMMARISED else None

    @property
    def counts(self) -> MergeCounts:
        """What became of the rows so far."""
        return self._classifier.counts

    def add(self, rows: pa.RecordBatch) -> None:
        """Merge rows with distinct keys."""
        # In the order of their key the database finds neighbours together.
        split = self._classifier.split(rows.sort_by(self._table.key))
        insert_rows(self._connection, self._table.name, split.new)
        replace_rows(self._connection, self._table.name, split.after)
        if self._differences is not None:
            self._differences.add(split.new)
            self._differences.add(split.after)
            self._differences.remove(split.before)
            if len(self._differences) > _SUMMARY_GROUPS_HELD:
                self.finish()

    def finish(self) -> None:
        """Bring the summary up to date; to be called before the transaction ends."""
        if self._differences is not None:
            add_to_summary(self._connection, self._differences.take())
