"""The fast way: many lines at once, split into columns, and those among them that need care."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dbuploader.csvfile.dialect import RepeatedHeader
from dbuploader.csvfile.lines import count_lines
from dbuploader.csvfile.model import Record
from dbuploader.csvfile.records import Shaper, Split

_FEW_BYTES = 16 * 1024


@dataclass(frozen=True)
class Numbering:
    """The numbers of the records of a chunk.

    `first_line` is its first physical line, `first_row` the number of its first record. `passed`
    are the lines, in their order, on which no record begins.
    """

    first_line: int
    first_row: int
    passed: Sequence[int]

    def row(self, line: int) -> int:
        """The number of the record that begins on `line`; of the next one where none does."""
        return self.first_row + line - self.first_line - bisect_left(self.passed, line)


@dataclass(frozen=True)
class Chunk:
    """Some consecutive records of a file.

    `cells` holds the texts of the records that have all their cells, a column for each label of the
    file, in the order of the file; `lines` the physical line on which each begins. `flawed` are the
    other records. `only_inserted` are the lines of rows that must not change one that is there.
    """

    lines: pa.Int64Array
    cells: pa.RecordBatch
    flawed: list[Record]
    numbering: Numbering
    only_inserted: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class SplitLines:
    """Lines as columns of text.

    `cells` has a row for each line with the right number of cells. `others` are the places, from 0,
    and the texts of the lines that have another number, empty lines among them.
    """

    cells: pa.RecordBatch
    others: list[tuple[int, str]]


class ColumnSplitter:
    """Splits lines whose cells `delimiter` separates.

    `columns` names the table's column in each place of a line, None where it is to be ignored. Of
    the last `blanks` places the cells come too, under the numbers of the places.
    """

    def __init__(self, delimiter: str, columns: Sequence[str | None], blanks: int = 0) -> None:
        first_blank = len(columns) - blanks
        names = [str(place) if place >= first_blank else name for place, name in enumerate(columns)]
        places = [str(place) for place in range(len(columns))]
        # The first line names the columns, and no line of the file can be taken for a beginning,
        # where a byte order mark would be passed over.
        self._head = delimiter.join(places).encode() + b"\n"
        self._delimiter = delimiter
        self._width = len(columns)
        self._wanted = [place for place, name in zip(places, names, strict=True) if name]
        self._schema = pa.schema([(name, pa.string()) for name in names if name])
        self._convert = csv.ConvertOptions(
            # IrregularLines has found what is not UTF-8.
            check_utf8=False,
            column_types={place: pa.string() for place in self._wanted},
            include_columns=self._wanted,
            strings_can_be_null=False,
        )

    def split_quoted(self, pieces: Sequence[bytes]) -> SplitLines:
        """The lines of all `pieces`: what QuotedLines finds."""
        return self._split_filled(b"".join(pieces), '"')

    def split(self, pieces: Sequence[bytes], count: int) -> SplitLines:
        """The `count` lines of all `pieces`: UTF-8, without a quote, none longer than a record."""
        data = b"".join(pieces)
        if len(data) <= _FEW_BYTES:
            return self._split_few(data)
        found = self._split_filled(data)
        if len(found.cells) + len(found.others) == count:
            return found
        lines = data.splitlines()
        filled = [place for place, line in enumerate(lines) if line]
        found = self._split_filled(b"\n".join([lines[place] for place in filled]))
        others = [(filled[place], text) for place, text in found.others]
        empty = [(place, "") for place, line in enumerate(lines) if not line]
        return SplitLines(found.cells, others + empty)

    def _split_few(self, data: bytes) -> SplitLines:
        """As `split`. Arrow starts a thread for each call, which takes longer than so few lines."""
        rows: list[list[str]] = []
        others: list[tuple[int, str]] = []
        for place, line in enumerate(data.splitlines()):
            text = line.decode()
            cells = text.split(self._delimiter)
            if line and len(cells) == self._width:
                rows.append(cells)
            else:
                others.append((place, text))
        columns = list(zip(*rows, strict=True)) or [()] * self._width
        arrays = [pa.array(columns[int(place)], pa.string()) for place in self._wanted]
        return SplitLines(pa.RecordBatch.from_arrays(arrays, schema=self._schema), others)

    def _split_filled(self, data: bytes, quote: str | bool = False) -> SplitLines:
        """The lines of `data`, empty ones passed over."""
        named = self._head + data
        others: list[tuple[int, str]] = []

        def pass_over(row: csv.InvalidRow) -> str:
            # The line of names is the first, by a count from 1.
            others.append((row.number - 2, row.text))
            return "skip"

        table = csv.read_csv(
            pa.py_buffer(named),
            csv.ReadOptions(use_threads=False, block_size=len(named)),
            csv.ParseOptions(
                delimiter=self._delimiter,
                quote_char=quote,
                ignore_empty_lines=True,
                invalid_row_handler=pass_over,
            ),
            self._convert,
        )
        arrays = [column.combine_chunks() for column in table.columns]
        return SplitLines(pa.RecordBatch.from_arrays(arrays, schema=self._schema), others)


# How the first cell of most rows begins, and that of no header: all keys are integers.
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
        cells = self._drop_blank_columns(lines, cells)
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

    def _drop_blank_columns(self, lines: pa.Int64Array, cells: pa.RecordBatch) -> pa.RecordBatch:
        for place in self._shaper.blank_places:
            column = cells.column(str(place))
            filled = pc.not_equal(pc.utf8_trim_whitespace(column), "")
            for line, text in zip(
                lines.filter(filled).to_pylist(), column.filter(filled).to_pylist(), strict=True
            ):
                self._shaper.check_blank(line, place, text)
            cells = cells.drop_columns([str(place)])
        return cells

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
