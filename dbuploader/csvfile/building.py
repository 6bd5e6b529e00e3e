"""Building a chunk of records out of lines that go into columns and lines that needed care."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.chunk import Chunk, Numbering
from dbuploader.csvfile.columns import ColumnSplitter, SplitLines
from dbuploader.csvfile.layout import RepeatedHeader
from dbuploader.csvfile.lines import count_lines
from dbuploader.csvfile.record import Record
from dbuploader.csvfile.shaping import Shaper
from dbuploader.csvfile.splitting import Split

# What the first cell of most rows begins with, and that of no header: all keys are integers.
_BEGINS_AS_KEY = r"^[\s]*[0-9+-]"


@dataclass(frozen=True)
class _Pieces:
    """Whole lines, and the numbers of those in each piece."""

    data: list[bytes] = field(default_factory=list)
    runs: list[range] = field(default_factory=list)

    def lines(self) -> pa.Int64Array:
        runs = self.runs or [range(0)]
        return pa.concat_arrays([pa.arange(run.start, run.stop) for run in runs])


class ChunkBuilder:
    """Takes the lines of a chunk in their order, from physical line `first_line` on.

    `line` is the next one that it takes.
    """

    def __init__(
        self,
        columns: ColumnSplitter,
        shaper: Shaper,
        header: RepeatedHeader,
        delimiter: str,
        first_line: int,
    ) -> None:
        self._columns = columns
        self._shaper = shaper
        self._header = header
        self._delimiter = delimiter
        self._first_line = self.line = first_line
        self._plain = _Pieces()
        self._quoted = _Pieces()
        self._passed: list[int] = []
        self._splits: list[tuple[int, Split]] = []

    def add_plain(self, data: bytes) -> None:
        """Take whole lines without quotes, each of which is a record or empty."""
        self._add(self._plain, data)

    def add_quoted(self, data: bytes) -> None:
        """Take whole lines with quotes, each of which is a record with all its cells."""
        self._add(self._quoted, data)

    def add_split(self, split: Split) -> None:
        """Take the lines of one record."""
        self._splits.append((self.line, split))
        self._passed += range(self.line + 1, self.line + split.lines)
        self.line += split.lines

    def pass_over(self) -> None:
        """Take an empty line."""
        self._passed.append(self.line)
        self.line += 1

    def build(self, first_row: int) -> Chunk:
        """The chunk, the first record of which is number `first_row`. Raises FileError."""
        plain = self._columns.split(self._plain.data, sum(map(len, self._plain.runs)))
        lines, others = self._lines_of(plain)
        self._splits += [
            (line, Split(1, text, text.split(self._delimiter), None))
            for line, text in others
            if text
        ]
        self._passed += [line for line, text in others if not text]
        parts = [self._rows_of(lines, plain.cells)]
        if self._quoted.data:
            quoted = self._columns.split_quoted(self._quoted.data)
            parts.append(self._rows_of(self._quoted.lines(), quoted.cells))
        splits = [split for split in self._splits if not self._is_header(*split)]
        numbering = Numbering(self._first_line, first_row, sorted(self._passed))
        records = [
            self._shaper.record(line, numbering.row(line), split) for line, split in sorted(splits)
        ]
        if whole := [record for record in records if not record.errors]:
            parts.append(_columns_of(whole, parts[0][1].schema))
        lines, cells = _in_order(parts)
        flawed = [record for record in records if record.errors]
        only_inserted = [line for line, split in splits if self._shaper.only_inserts(split)]
        return Chunk(lines, cells, flawed, numbering, only_inserted)

    def _add(self, pieces: _Pieces, data: bytes) -> None:
        if data:
            count = count_lines(data, 0, len(data))
            # What comes next may begin with an LF of its own.
            pieces.data.append(data + b"\n" if data.endswith(b"\r") else data)
            pieces.runs.append(range(self.line, self.line + count))
            self.line += count

    def _rows_of(
        self, lines: pa.Int64Array, cells: pa.RecordBatch
    ) -> tuple[pa.Int64Array, pa.RecordBatch]:
        """The rows among what was split into columns: no header again. Raises FileError."""
        cells = self._shaper.drop_blank_columns(lines, cells)
        keys = cells.column(self._header.key)
        others = pc.invert(pc.match_substring_regex(keys, _BEGINS_AS_KEY))
        if not others.true_count:
            return lines, cells
        again = [
            line
            for line, texts in zip(
                lines.filter(others).to_pylist(),
                zip(*[column.to_pylist() for column in cells.filter(others).columns], strict=True),
                strict=True,
            )
            if self._header.is_one(line, texts)
        ]
        if not again:
            return lines, cells
        self._passed += again
        rows = pc.invert(pc.is_in(lines, value_set=pa.array(again, pa.int64())))
        return lines.filter(rows), cells.filter(rows)

    def _is_header(self, line: int, split: Split) -> bool:
        cells = self._shaper.cells(split)
        return cells is not None and self._header.is_one(line, cells)

    def _lines_of(self, plain: SplitLines) -> tuple[pa.Int64Array, list[tuple[int, str]]]:
        """The physical lines of what was split into columns, and of the others with their texts."""
        lines = self._plain.lines()
        if not plain.others:
            return lines, []
        places = pa.array([place for place, _ in plain.others], pa.int64())
        texts = [text for _, text in plain.others]
        others = list(zip(lines.take(places).to_pylist(), texts, strict=True))
        passed = pc.is_in(pa.arange(0, len(lines)), value_set=places)
        return lines.filter(pc.invert(passed)), others


def _columns_of(
    records: Sequence[Record], schema: pa.Schema
) -> tuple[pa.Int64Array, pa.RecordBatch]:
    columns = zip(*[record.cells or () for record in records], strict=True)
    arrays = [pa.array(texts, pa.string()) for texts in columns]
    lines = pa.array([record.line for record in records], pa.int64())
    return lines, pa.RecordBatch.from_arrays(arrays, schema=schema)


def _in_order(
    parts: Sequence[tuple[pa.Int64Array, pa.RecordBatch]],
) -> tuple[pa.Int64Array, pa.RecordBatch]:
    """All parts as one, in the order of the lines."""
    if len(parts) == 1:
        return parts[0]
    lines = pa.concat_arrays([lines for lines, _ in parts])
    order = pc.sort_indices(lines)
    return lines.take(order), pa.concat_batches([cells for _, cells in parts]).take(order)
