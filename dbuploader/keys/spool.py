"""Rows of a file on disk, to be gone through again: in order, or for some of their keys."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.columns import rows_schema
from dbuploader.scratch import Scratch, ScratchFile
from muster.contracts.tables import Table

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
    """Keeps batches of rows with their lines on disk; in memory is where each stands.

    Calls may raise DiskUnavailable; then `clear` it, and begin again.
    """

    def __init__(self, table: Table, scratch: Scratch) -> None:
        self._key = table.key
        self._schema = rows_schema(table).append(pa.field(_LINE, pa.int64()))
        self._file = ScratchFile(scratch)
        self._places: list[_Place] = []

    def clear(self) -> None:
        """Forget all rows, and give their room back; raises nothing."""
        self._file.clear()
        self._places.clear()

    def add(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> None:
        """Keep rows whose keys are new, with the line of each."""
        if not len(rows):
            return
        keys = pc.min_max(rows.column(self._key)).as_py()
        data = pa.RecordBatch.from_arrays([*rows.columns, lines], schema=self._schema).serialize()
        offset = self._file.append(memoryview(data))
        self._places.append(_Place(offset, data.size, keys["min"], keys["max"]))

    def batches_with(self, keys: pa.Array) -> Iterator[LinesAndRows]:
        """All batches that may have a row with one of `keys`."""
        wanted = pc.min_max(keys).as_py()
        for place in self._places:
            if place.least <= wanted["max"] and wanted["min"] <= place.greatest:
                yield self._read(place)

    def _read(self, place: _Place) -> LinesAndRows:
        data = self._file.read(place.size, place.offset)
        batch = pa.ipc.read_record_batch(pa.py_buffer(data), self._schema)
        return batch.column(_LINE), batch.drop_columns([_LINE])
