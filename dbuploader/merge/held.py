"""The rows of several uploads that share a transaction: held, and written together.

A statement takes about as long for the rows of one small upload as for those of many.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.arrow import bitmap_of
from dbuploader.db.lookup import key_range
from dbuploader.db.rows import write_rows
from dbuploader.merge.merge import Changes, Merge, MergePlan, are_outside, in_order
from muster.contracts.tables import Table, tables


class HeldRows:
    """One transaction for the loads of several uploads, one after the other.

    Of each it takes all rows or none. They are written before anybody reads what may be among them,
    and at the latest by `flush`; what the database then refuses ends the whole transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # By table, and whether they replace others.
        self._held: dict[tuple[str, bool], list[pa.RecordBatch]] = defaultdict(list)
        self._added: list[tuple[Table, bool, pa.RecordBatch]] = []
        # Of all rows that were ever held.
        self._keys: dict[str, BitMap] = defaultdict(BitMap)
        self._before: dict[str, tuple[int, int] | None] = {}

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """What is committed, and what the uploads before have written."""
        self.flush()
        yield self._connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """An upload's part: if the block ends by an error, what was added in it is left out."""
        self._added = []
        yield self._connection
        for table, replace, rows in self._added:
            self._keys[table.name] |= bitmap_of(rows.column(table.key))
            self._held[table.name, replace].append(rows)

    def add(self, table: Table, rows: pa.RecordBatch, *, replace: bool) -> None:
        """Hold rows in the order of their keys: new ones, or such as `replace` those there."""
        self._added.append((table, replace, rows))

    def has_any_of(self, table: Table, rows: pa.RecordBatch) -> bool:
        """Whether any of these rows is one that an upload before has changed."""
        return self._keys[table.name].intersect(bitmap_of(rows.column(table.key)))

    def had_none_of(self, table: Table, rows: pa.RecordBatch) -> bool:
        """Whether the table certainly had none of `rows`, in order, before all uploads.

        If somebody else has added one meanwhile, the database refuses it.
        """
        if table.name not in self._before:
            self._before[table.name] = key_range(self._connection, table)
        return are_outside(self._before[table.name], rows, table.key)

    def flush(self) -> None:
        """Write what is held of the uploads that are through; raises as write_rows() does."""
        # Parents come before the rows that refer to them. No row is held twice.
        for table in tables().values():
            for replace in (False, True):
                if held := self._held.pop((table.name, replace), None):
                    rows = in_order(pa.concat_batches(held), table.key)
                    write_rows(self._connection, table.name, rows, replace=replace)


class HeldMerge(Merge):
    """As Merge, but the rows are held with those of others. Whoever has those ends it, too.

    Until all is well with the upload nothing is written, of what `changes` is told neither. What
    the database refuses is raised when it is.
    """

    def __init__(
        self,
        held: HeldRows,
        connection: Connection,
        table: Table,
        changes: Changes,
        *,
        insert: bool,
        only_inserted: BitMap | None = None,
    ) -> None:
        super().__init__(connection, table, changes, insert=insert, only_inserted=only_inserted)
        self._held = held

    def _plan(self, rows: pa.RecordBatch) -> MergePlan:
        if self._held.has_any_of(self._table, rows):
            self._held.flush()
        elif self._held.had_none_of(self._table, rows):
            return self._classifier.take_new(rows)
        return super()._plan(rows)

    def _write(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        self._held.add(self._table, rows, replace=replace)

    def _make_room(self) -> None:
        """A small upload needs none."""
