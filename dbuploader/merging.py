"""Merging rows into their table: what uploads and batches do alike, within a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from dbuploader.repository.rows import PlainRow, insert_rows, replace_rows, rows_by_key
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


class Classifier:
    """Tells new rows, changed rows and rows that are there already apart, and counts them."""

    def __init__(self, connection: Connection, table: Table, *, lock: bool) -> None:
        self._connection = connection
        self._table = table
        self._lock = lock
        self._key = table.column_names.index(table.key)
        self.counts = MergeCounts()

    def split(
        self, rows: Sequence[PlainRow]
    ) -> tuple[list[PlainRow], list[tuple[PlainRow, PlainRow]]]:
        """Of rows with distinct keys the new ones, and the changed ones as (before, after)."""
        keys = [int(row[self._key]) for row in rows]
        existing = rows_by_key(self._connection, self._table, keys, lock=self._lock)
        if existing:
            new = [row for key, row in zip(keys, rows, strict=True) if key not in existing]
            found = [
                (existing[key], row) for key, row in zip(keys, rows, strict=True) if key in existing
            ]
        else:
            new, found = list(rows), []
        changed = [(before, after) for before, after in found if before != after]
        self.counts.inserted += len(new)
        self.counts.updated += len(changed)
        self.counts.unchanged += len(found) - len(changed)
        return new, changed


class Merge:
    """Merges rows into `table` within the transaction of `connection`, and keeps the summary."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._classifier = Classifier(connection, table, lock=True)
        self._differences = HiresDifferences(table) if table.name == SUMMARISED else None

    @property
    def counts(self) -> MergeCounts:
        """What became of the rows so far."""
        return self._classifier.counts

    def add(self, rows: Sequence[PlainRow]) -> None:
        """Merge rows with distinct keys."""
        new, changed = self._classifier.split(rows)
        after = [row for _, row in changed]
        insert_rows(self._connection, self._table.name, new)
        replace_rows(self._connection, self._table.name, after)
        if self._differences is not None:
            self._differences.count(new)
            self._differences.count(after, removed=(before for before, _ in changed))
            if len(self._differences) > _SUMMARY_GROUPS_HELD:
                self.finish()

    def finish(self) -> None:
        """Bring the summary up to date; to be called before the transaction ends."""
        if self._differences is not None:
            add_to_summary(self._connection, self._differences.take())
