"""Duplicate keys within a file: the first good row of a key owns it, and is kept on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from dbuploader.arrow import bitmap_of, equal_rows, rows_schema
from dbuploader.scratch import Scratch, ScratchFile
from muster.contracts.tables import Table


@dataclass(frozen=True)
class Repeats:
    """The rows whose key an earlier row owns.

    `same` counts those that have the owner's values, too. `others` maps the line of each that has
    not to the line of the owner.
    """

    same: int
    others: dict[int, int]


class DuplicateKeyFilter:
    """Takes the good rows of a file, and keeps those that own their keys, on disk.

    The keys of `table` are integers from 0 to 4,294,967,295.

    Only a bitmap of the keys is in memory: 1.2 MiB for 10,000,000 dense keys, 34 MiB for as many
    that are spread over the whole range.
    """

    def __init__(self, table: Table, scratch: Scratch) -> None:
        self._key = table.key
        self._keys = BitMap()
        self._spool = RowSpool(table, scratch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._spool.clear()

    def clear(self) -> None:
        """Forget all rows."""
        self._keys = BitMap()
        self._spool.clear()

    def add(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Repeats]:
        """Take rows in the order of their lines; returns those that own their keys, and the others.

        The rows have physical `lines`, which nothing before had.
        """
        keys = rows.column(self._key)
        distinct = bitmap_of(keys)
        if len(distinct) == len(rows) and distinct.isdisjoint(self._keys):
            self._keep(lines, rows, distinct)
            return rows, Repeats(0, {})
        owning = self._owning(keys, distinct)
        owners = rows.filter(owning)
        self._keep(lines.filter(owning), owners, distinct)
        repeated = pc.invert(owning)
        return owners, self._compare(lines.filter(repeated), rows.filter(repeated))

    def _keep(self, lines: pa.Int64Array, rows: pa.RecordBatch, keys: BitMap) -> None:
        self._keys |= keys
        self._spool.add(lines, rows)

    def _owning(self, keys: pa.Array, distinct: BitMap) -> pa.BooleanArray:
        """Which of `keys` are the first of their kind in the file."""
        places = pa.arange(0, len(keys))
        groups = pa.table({"key": keys, "place": places}).group_by("key", use_threads=False)
        first = groups.aggregate([("place", "min")]).column("place_min").combine_chunks()
        taken = pa.array((distinct & self._keys).to_array(), keys.type)
        return pc.and_(
            pc.is_in(places, value_set=first), pc.invert(pc.is_in(keys, value_set=taken))
        )

    def _compare(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> Repeats:
        owner_lines, owners = self._find_owners(rows.column(self._key))
        same = equal_rows(rows, owners)
        other = pc.invert(same)
        pairs = zip(
            lines.filter(other).to_pylist(), owner_lines.filter(other).to_pylist(), strict=True
        )
        return Repeats(same.true_count, dict(pairs))

    def _find_owners(self, keys: pa.Array) -> tuple[pa.Int64Array, pa.RecordBatch]:
        """For each of `keys` the line and the values of the row that owns it."""
        found = [
            (lines.filter(mask), rows.filter(mask))
            for lines, rows in self._spool.batches_with(keys)
            if (mask := pc.is_in(rows.column(self._key), value_set=keys)).true_count
        ]
        known = pa.concat_batches([rows for _, rows in found])
        places = pc.index_in(keys, value_set=known.column(self._key))
        return pa.concat_arrays([lines for lines, _ in found]).take(places), known.take(places)


_FIRST_BYTES = 64 * 1024
# No column's: the names of columns do not begin so.
_LINE = "_line"

LinesAndRows = tuple[pa.Int64Array, pa.RecordBatch]


@dataclass(frozen=True)
class _Place:
    """Where in the file a batch is, and between which keys its rows are."""

    offset: int
    size: int
    least: int
    greatest: int


class RowSpool:
    """Keeps batches of rows with their lines on disk; only where each stands is in memory.

    The first few rows, all of most files, stay in memory. Calls may raise DiskUnavailable; then
    `clear` it, and begin again.
    """

    def __init__(self, table: Table, scratch: Scratch) -> None:
        self._key = table.key
        self._schema = rows_schema(table).append(pa.field(_LINE, pa.int64()))
        self._file = ScratchFile(scratch)
        self._places: list[_Place] = []
        self._first: list[LinesAndRows] = []
        self._first_bytes = 0

    def clear(self) -> None:
        """Forget all rows, and give their room back; raises nothing."""
        self._file.clear()
        self._places.clear()
        self._first.clear()
        self._first_bytes = 0

    def add(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> None:
        """Keep rows whose keys are new, with the line of each."""
        if not len(rows):
            return
        self._first_bytes += rows.nbytes
        if self._first_bytes <= _FIRST_BYTES:
            self._first.append((lines, rows))
            return
        keys = pc.min_max(rows.column(self._key)).as_py()
        data = pa.RecordBatch.from_arrays([*rows.columns, lines], schema=self._schema).serialize()
        offset = self._file.append(memoryview(data))
        self._places.append(_Place(offset, data.size, keys["min"], keys["max"]))

    def batches_with(self, keys: pa.Array) -> Iterator[LinesAndRows]:
        """All batches that may have a row with one of `keys`."""
        yield from self._first
        wanted = pc.min_max(keys).as_py()
        for place in self._places:
            if place.least <= wanted["max"] and wanted["min"] <= place.greatest:
                yield self._read(place)

    def _read(self, place: _Place) -> LinesAndRows:
        data = self._file.read(place.size, place.offset)
        batch = pa.ipc.read_record_batch(pa.py_buffer(data), self._schema)
        return batch.column(_LINE), batch.drop_columns([_LINE])
