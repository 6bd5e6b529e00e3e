"""Merging many rows: the next are prepared while the database takes some."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.db.lookup import (
    FoundRows,
    count_locked,
    has_key_between,
    key_range,
)
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.load_data import BulkWriter, RowFiles
from dbuploader.merge.merge import Changes, KeysChanged, Merge, are_outside, in_order
from muster.contracts.tables import ForeignKey, Table

_CALLS_AHEAD = 3
_PARENTS_HELD = 100_000
_PARENTS_AT_ONCE = 5_000


class Interrupted(Exception):
    """Another thread wants this one to end."""


class BulkMerge(Merge):
    """As Merge, but a thread of its own uses the database, to look up rows and to write others.

    Keys that are certainly new are not looked up. Use it as a context manager.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        changes: Changes,
        files: RowFiles,
        *,
        insert: bool,
        only_inserted: BitMap | None = None,
    ) -> None:
        super().__init__(connection, table, changes, insert=insert, only_inserted=only_inserted)
        self._files = files
        self._before = key_range(connection, table)
        self._parents: dict[str, pa.Array] = {}
        # MariaDB can't be interrupted while it fills indexes, for seconds after many rows.
        self._thread = BackgroundWorker(
            self._heed, interrupt=self.interrupt, ahead=_CALLS_AHEAD, may_stay=True
        )
        self._is_interrupted = False
        self._writer = BulkWriter(connection, table, files, self._thread)
        self._looked_up: tuple[pa.RecordBatch, Future[FoundRows | None]] | None = None

    def __enter__(self) -> Self:
        self._thread.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.end(whole=kind is None)
        self._thread.__exit__(kind, error, traceback)

    def interrupt(self) -> None:
        """Have `add` and `finish` raise Interrupted; the transaction can then only be abandoned.

        Called from another thread than those.
        """
        self._is_interrupted = True
        if self._thread.busy:
            self._files.database.interrupt(self._connection)

    def _heed(self) -> None:
        if self._is_interrupted:
            raise Interrupted

    def add(self, rows: pa.RecordBatch) -> None:
        """As in Merge. An error of these rows may be raised by a later call."""
        if not len(rows):
            return
        rows = in_order(rows, self._table.key)
        if self._are_certainly_new(rows):
            self._merge_looked_up()
            self._merge(self._classifier.take_new(rows))
            return
        self._writer.end()
        found = self._thread.submit(partial(self._look_up, rows))
        # While the thread does this, the rows before are compared and prepared.
        self._merge_looked_up()
        self._looked_up = rows, found

    def finish(self) -> None:
        """As in Merge."""
        self._merge_looked_up()
        self._writer.finish()
        super().finish()
        self._thread.finish()

    def _are_certainly_new(self, rows: pa.RecordBatch) -> bool:
        # What was inserted since is this upload's, or fails as a key that is taken.
        return are_outside(self._before, rows, self._table.key)

    def _look_up(self, rows: pa.RecordBatch) -> FoundRows | None:
        keys = rows.column(self._table.key)
        least, greatest = keys[0].as_py(), keys[-1].as_py()
        if not has_key_between(self._connection, self._table, least, greatest):
            return None
        return self._classifier.look_up(rows)

    def _merge_looked_up(self) -> None:
        if self._looked_up is None:
            return
        (rows, call), self._looked_up = self._looked_up, None
        found = self._thread.result(call)
        classifier = self._classifier
        self._merge(classifier.take_new(rows) if found is None else classifier.compare(rows, found))

    def _execute(self, call: Callable[[], None]) -> None:
        self._writer.end()
        self._thread.submit(call)

    def _write(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        if self._files.directory is not None:
            for foreign in self._table.foreign_keys:
                self._lock_parents(foreign, rows.column(foreign.column))
        self._writer.write(rows, replace=replace)

    def _lock_parents(self, foreign: ForeignKey, keys: pa.Array) -> None:
        """Lock the rows referred to: the server does not check foreign keys of rows from files."""
        known = self._parents.get(foreign.parent, pa.array([], keys.type))
        if len(known) > _PARENTS_HELD:
            known = known[:0]
        distinct = pc.unique(keys)
        new = distinct.filter(pc.invert(pc.is_in(distinct, value_set=known)))
        for start in range(0, len(new), _PARENTS_AT_ONCE):
            self._writer.end()
            some = new[start : start + _PARENTS_AT_ONCE].sort().to_pylist()
            self._thread.submit(partial(self._lock, foreign.parent, some))
        self._parents[foreign.parent] = pa.concat_arrays([known, new])

    def _lock(self, parent: str, keys: list[int]) -> None:
        if count_locked(self._connection, parent, keys) < len(keys):
            raise KeysChanged

    def _summarise(self) -> None:
        self._writer.end()
        self._thread.finish()
        super()._summarise()
