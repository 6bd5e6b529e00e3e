"""Building a chunk of records out of plain lines and of lines that needed care."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.chunk import Chunk, Numbering
from dbuploader.csvfile.columns import PlainColumns, PlainSplitter
from dbuploader.csvfile.lines import count_lines
from dbuploader.csvfile.record import Record
from dbuploader.csvfile.shaping import Shaper
from dbuploader.csvfile.splitting import Split


class ChunkBuilder:
    """Takes the lines of a chunk in their order, from physical line `first_line` on.

    `line` is the next one that it takes.
    """

    def __init__(
        self, plain: PlainSplitter, shaper: Shaper, delimiter: str, first_line: int
    ) -> None:
        self._plain = plain
        self._shaper = shaper
        self._delimiter = delimiter
        self._first_line = self.line = first_line
        self._pieces: list[bytes] = []
        self._runs: list[range] = []
        self._passed: list[int] = []
        self._splits: list[tuple[int, Split]] = []

    def add_plain(self, data: bytes) -> None:
        """Take whole lines, each of which is a record or empty."""
        if data:
            count = count_lines(data, 0, len(data))
            # What comes next may begin with an LF of its own.
            self._pieces.append(data + b"\n" if data.endswith(b"\r") else data)
            self._runs.append(range(self.line, self.line + count))
            self.line += count

    def add_split(self, split: Split) -> None:
        """Take the lines of one record."""
        self._splits.append((self.line, split))
        self._passed += range(self.line + 1, self.line + split.lines)
        self.line += split.lines

    def build(self, first_row: int) -> Chunk:
        """The chunk, the first record of which is number `first_row`."""
        plain = self._plain.split(self._pieces, sum(map(len, self._runs)))
        lines, others = self._lines_of(plain)
        self._splits += [
            (line, Split(1, text, text.split(self._delimiter), None))
            for line, text in others
            if text
        ]
        self._passed += [line for line, text in others if not text]
        numbering = Numbering(self._first_line, first_row, sorted(self._passed))
        records = [
            self._shaper.record(line, numbering.row(line), split)
            for line, split in sorted(self._splits)
        ]
        lines, cells = _with_records(
            lines, plain.cells, [each for each in records if not each.errors]
        )
        return Chunk(lines, cells, [each for each in records if each.errors], numbering)

    def _lines_of(self, plain: PlainColumns) -> tuple[pa.Int64Array, list[tuple[int, str]]]:
        """The physical lines of what was split into columns, and of the others with their texts."""
        lines = pa.concat_arrays([pa.arange(run.start, run.stop) for run in self._runs] or [_NONE])
        if not plain.others:
            return lines, []
        places = pa.array([place for place, _ in plain.others], pa.int64())
        texts = [text for _, text in plain.others]
        others = list(zip(lines.take(places).to_pylist(), texts, strict=True))
        passed = pc.is_in(pa.arange(0, len(lines)), value_set=places)
        return lines.filter(pc.invert(passed)), others


_NONE = pa.array([], pa.int64())


def _with_records(
    lines: pa.Int64Array, cells: pa.RecordBatch, records: Sequence[Record]
) -> tuple[pa.Int64Array, pa.RecordBatch]:
    """The lines and the columns with those of `records` among them, in the order of the lines."""
    if not records:
        return lines, cells
    columns = zip(*[record.cells or () for record in records], strict=True)
    arrays = [pa.array(texts, pa.string()) for texts in columns]
    more = pa.RecordBatch.from_arrays(arrays, schema=cells.schema)
    all_lines = pa.concat_arrays([lines, pa.array([record.line for record in records], pa.int64())])
    order = pc.sort_indices(all_lines)
    return all_lines.take(order), pa.concat_batches([cells, more]).take(order)
