"""Merging many rows within the server, which takes them from files."""

from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from dbuploader.loading.chunkfiles import ChunkFiles
from dbuploader.loading.merging import KeysChanged, Merge, in_order
from dbuploader.repository.incoming import Incoming, count_locked, has_key_between, key_range
from dbuploader.summary import HiresDifferences
from muster.database import FilesRefused
from muster.tables import ForeignKey, Table

_PARENTS_HELD = 100_000
_PARENTS_AT_ONCE = 5_000


class BulkMerge(Merge):
    """As Merge: new rows go straight into the table, others into a temporary one, to be compared.

    Where the server turns out to take no files, it does as Merge does.
    """

    def __init__(
        self, connection: Connection, table: Table, files: ChunkFiles, *, insert: bool
    ) -> None:
        super().__init__(connection, table, insert=insert)
        self._files = files
        self._incoming = Incoming(connection, table)
        self._before = key_range(connection, table) if files.usable else None
        self._parents: dict[str, pa.Array] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Merge rows with distinct keys; raises KeysChanged, ConstraintViolated and RowsDamaged."""
        if not len(rows):
            return
        rows = in_order(rows, self._table.key)
        if self._files.usable:
            # When it is refused, nothing of the file was taken.
            with suppress(FilesRefused):
                self._add_file(rows)
                return
        super().add(rows)

    def _add_file(self, rows: pa.RecordBatch) -> None:
        for foreign in self._table.foreign_keys:
            self._lock_parents(foreign, rows.column(foreign.column))
        if self._are_new(rows):
            self._files.load(self._connection, self._table.name, rows)
            self._count_new(rows)
            return
        self._incoming.make()
        try:
            self._files.load(self._connection, self._incoming.name, rows)
        except FilesRefused:
            self._incoming.drop()
            raise
        self._merge_incoming(rows)
        self._incoming.drop()

    def _are_new(self, rows: pa.RecordBatch) -> bool:
        """Whether the table surely has none of the keys."""
        keys = rows.column(self._table.key)
        least, greatest = keys[0].as_py(), keys[-1].as_py()
        if self._before is None or greatest < self._before[0] or self._before[1] < least:
            # What was there since is this upload's, or will be met as a key that is taken.
            return True
        return not has_key_between(self._connection, self._table, least, greatest)

    def _lock_parents(self, foreign: ForeignKey, keys: pa.Array) -> None:
        """Keep the rows referred to: the server does not look whether they are there."""
        known = self._parents.get(foreign.parent, pa.array([], keys.type))
        if len(known) > _PARENTS_HELD:
            known = known[:0]
        distinct = pc.unique(keys)
        new = distinct.filter(pc.invert(pc.is_in(distinct, value_set=known)))
        for start in range(0, len(new), _PARENTS_AT_ONCE):
            some = new[start : start + _PARENTS_AT_ONCE].sort().to_pylist()
            if count_locked(self._connection, foreign.parent, some) < len(some):
                raise KeysChanged
        self._parents[foreign.parent] = pa.concat_arrays([known, new])

    def _count_new(self, rows: pa.RecordBatch) -> None:
        self.counts.inserted += len(rows)
        self._summarise(lambda differences: differences.add(rows))

    def _merge_incoming(self, rows: pa.RecordBatch) -> None:
        present, changed, moved = self._incoming.compare()
        if present and self._insert:
            raise KeysChanged
        new = len(rows) - present
        if new or moved:
            self._summarise(self._note_months)
        if (new or changed) and self._incoming.merge() != len(rows) + changed:
            raise KeysChanged
        self.counts.inserted += new
        self.counts.updated += changed
        self.counts.unchanged += present - changed

    def _note_months(self, differences: HiresDifferences) -> None:
        before = self._incoming.months_before()
        differences.change({group: -count for group, count in before.items()})
        differences.change(self._incoming.months_after())
