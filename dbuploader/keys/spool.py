"""Rows of a file on disk, to be gone through again: in order, or for some of their keys."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.columns import rows_schema
from muster.tables import Table

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
    """Keeps batches of rows with their lines in a private file; in memory is where each stands.

    The file has no name in its directory: nothing is left of it when the process dies.
    """

    def __init__(self, table: Table) -> None:
        self._key = table.key
        self._schema = rows_schema(table).append(pa.field(_LINE, pa.int64()))
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self._places: list[_Place] = []
        self._end = 0

    def close(self) -> None:
        """Give up the file."""
        self._file.close()

    def clear(self) -> None:
        """Forget all rows."""
        self._file.truncate(0)
        self._places.clear()
        self._end = 0

    def add(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> None:
        """Keep rows whose keys are new, with the line of each."""
        if not len(rows):
            return
        keys = pc.min_max(rows.column(self._key)).as_py()
        data = pa.RecordBatch.from_arrays([*rows.columns, lines], schema=self._schema).serialize()
        written = 0
        while written < data.size:
            written += os.pwrite(self._file.fileno(), data[written:], self._end + written)
        self._places.append(_Place(self._end, data.size, keys["min"], keys["max"]))
        self._end += data.size

    def batches_with(self, keys: pa.Array) -> Iterator[LinesAndRows]:
        """All batches that may have a row with one of `keys`."""
        wanted = pc.min_max(keys).as_py()
        for place in self._places:
            if place.least <= wanted["max"] and wanted["min"] <= place.greatest:
                yield self._read(place)

    def _read(self, place: _Place) -> LinesAndRows:
        data = os.pread(self._file.fileno(), place.size, place.offset)
        batch = pa.ipc.read_record_batch(pa.py_buffer(data), self._schema)
        return batch.column(_LINE), batch.drop_columns([_LINE])
