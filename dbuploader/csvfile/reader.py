"""A CSV file's records: one by one, which defines what it holds, or many at once, which is fast."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from dbuploader.csvfile.chunks import Chunk, ChunkBuilder, ColumnSplitter
from dbuploader.csvfile.dialect import RepeatedHeader, find_layout, sketch_layout
from dbuploader.csvfile.encoding import ByteStream, decode
from dbuploader.csvfile.irregular import IrregularLines, QuotedLines
from dbuploader.csvfile.lines import (
    Lines,
    count_lines,
    few_lines,
    line_start,
    whole_lines,
    without_cut_line,
)
from dbuploader.csvfile.model import (
    RECORD_BYTES,
    RECORD_LINES,
    CsvOptions,
    FileError,
    Layout,
    Record,
)
from dbuploader.csvfile.records import Shaper, Split, Splitter
from dbuploader.csvfile.reject_file import is_reject_file
from muster.contracts.tables import Table

BLOCK_SIZE = 1024 * 1024
SAMPLE_SIZE = 64 * 1024
_EMPTY_LINES = (b"\n", b"\r\n", b"\r")
# Enough that a chunk costs little per line; few enough to hold if every line is rejected.
_CHUNK_LINES = 40_000
# Of a reject file, whose records may be four times as long each.
_CHUNK_RECORDS = 1000


def open_csv(
    stream: ByteStream,
    table: Table,
    options: CsvOptions,
    *,
    block_size: int = BLOCK_SIZE,
    sample_size: int = SAMPLE_SIZE,
) -> "CsvFile":
    """The records of `stream`, whose columns are those of `table`.

    It is read from where it stands, in blocks of `block_size` bytes, and not closed; the delimiter
    and the header are found in the first `sample_size` bytes. Raises FileError when the file as a
    whole cannot be read: it has no record, an unknown encoding, or a header that does not fit.
    """
    decoded = decode(stream, options.encoding, block_size)
    chunks = whole_lines(decoded.blocks)
    head, empty_lines = _read_head(chunks, sample_size)
    layout = find_layout(head, table, options, empty_lines + 1)
    header = RepeatedHeader(layout, table, options)
    layout = replace(layout, warnings=(*decoded.warnings, *layout.warnings))
    return CsvFile(layout, header, head, chunks, empty_lines, decoded.codec)


class CsvSketch(NamedTuple):
    """The beginning of a file, by the layout that it has or nearly has.

    `error` is why the file as a whole can't be read, None if it can; `is_cut` says whether more
    of the file follows.
    """

    records: "CsvFile"
    layout: Layout
    error: FileError | None
    is_cut: bool


def sketch_csv(
    stream: ByteStream, table: Table, options: CsvOptions, most_bytes: int, *, is_cut: bool
) -> CsvSketch:
    """The first `most_bytes` of `stream` as `open_csv` reads them; `is_cut` if more of it is known.

    A last line that is cut is passed over. Raises FileError where there is nothing to show.
    """
    beginning = _Beginning(stream, most_bytes)
    decoded = decode(beginning, options.encoding, BLOCK_SIZE)
    text = b"".join(whole_lines(decoded.blocks))
    is_cut = is_cut or not beginning.left
    if is_cut:
        text = without_cut_line(text)
    chunks = iter([text] if text else [])
    head, empty_lines = _read_head(chunks, SAMPLE_SIZE)
    layout, error = sketch_layout(head, table, options, empty_lines + 1)
    layout = replace(layout, warnings=(*decoded.warnings, *layout.warnings))
    header = RepeatedHeader(layout, table, options)
    records = CsvFile(layout, header, head, chunks, empty_lines, decoded.codec)
    return CsvSketch(records, layout, error, is_cut)


class _Beginning:
    """The first bytes of a stream; `left` is how many more may be read."""

    def __init__(self, stream: ByteStream, most_bytes: int) -> None:
        self._stream = stream
        self.left = most_bytes

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        return data


def _read_head(chunks: Iterator[bytes], size: int) -> tuple[bytes, int]:
    """The file's beginning, from its first line that is not empty, and how many lines precede."""
    head = b""
    empty_lines = 0
    for chunk in chunks:
        content = chunk if head else chunk.lstrip(b"\r\n")
        empty_lines += len(chunk[: len(chunk) - len(content)].splitlines())
        head += content
        if len(head) >= size:
            break
    if not head:
        raise FileError("empty-file", "The file has no rows in it, not even a header.")
    return head, empty_lines


class CsvFile:
    """The records of a file, to be read once, in bounded memory.

    Iterating over it yields record by record: that is the definition of what a file holds.
    `chunks` yields the same much faster. `labels` are the table's columns in the order in which the
    file has them, and `places` those of their cells in a record, from 0. `delimiter` is the
    character between cells, `has_header` whether the file has a header, `codec` Python's name of
    its encoding, and `warnings` what the uploader should know.
    """

    def __init__(
        self,
        layout: Layout,
        header: RepeatedHeader,
        head: bytes,
        further: Iterator[bytes],
        lines_before: int,
        codec: str,
    ) -> None:
        self.labels = tuple(column for column in layout.columns if column is not None)
        self.places = tuple(
            place for place, column in enumerate(layout.columns) if column is not None
        )
        self.delimiter = layout.delimiter
        self.has_header = bool(layout.labels)
        self.codec = codec
        self.warnings = layout.warnings
        self._header = header
        self._strict = is_reject_file(layout)
        self._splitter = Splitter(layout.delimiter, len(layout.columns), strict=self._strict)
        self._columns = ColumnSplitter(layout.delimiter, layout.columns, layout.blanks)
        self._quoted = QuotedLines(layout.delimiter, len(layout.columns))
        self._shaper = Shaper(layout)
        self._lines = Lines(chain([head], further))
        self._lines.fill()
        self._lines.drop(layout.head_lines)
        self._line = lines_before + layout.head_lines + 1
        self._row = 1

    def __iter__(self) -> Iterator[Record]:
        return (record for record, _ in self.splits())

    def splits(self) -> Iterator[tuple[Record, Split]]:
        """Each record, and what it was made of: the cells of all places."""
        while self._lines.fill():
            line = self._lines.take()
            if line in _EMPTY_LINES:
                self._line += 1
                continue
            split = self._splitter.split(line, self._lines)
            cells = self._shaper.cells(split)
            if cells is None or not self._header.is_one(self._line, cells):
                yield self._shaper.record(self._line, self._row, split), split
                self._row += 1
            self._line += split.lines

    def is_near_end(self) -> bool:
        """Whether what is left is less than one record may take."""
        data, position = self._lines.data, self._lines.position
        if len(data) - position > RECORD_BYTES:
            return False
        return count_lines(data, position, len(data)) < RECORD_LINES

    def chunks(self) -> Iterator[Chunk]:
        """The records, many at a time: those of a few MiB of the file, or fewer."""
        while self._lines.fill():
            chunk = self._read_strictly() if self._strict else self._read_chunk()
            self._row = chunk.numbering.row(self._line)
            yield chunk

    def _read_chunk(self) -> Chunk:
        lines, data = self._lines, self._lines.data
        stop = few_lines(data, lines.position, _CHUNK_LINES)
        odd = IrregularLines(data, lines.position, stop)
        builder = self._builder()
        # Looking ahead may replace the data: the next chunk then begins here.
        while lines.data is data and lines.position < stop:
            place = odd.find(lines.position)
            start = stop if place == stop else line_start(data, lines.position, place)
            end = self._quoted.end(data, start, stop)
            builder.add_plain(lines.take_until(start))
            builder.add_quoted(lines.take_until(end))
            if start == end < stop:
                builder.add_split(self._splitter.split(lines.take(), lines))
        self._line = builder.line
        return builder.build(self._row)

    def _read_strictly(self) -> Chunk:
        builder = self._builder()
        for _ in range(_CHUNK_RECORDS):
            if not self._lines.fill():
                break
            line = self._lines.take()
            if line in _EMPTY_LINES:
                builder.pass_over()
            else:
                builder.add_split(self._splitter.split(line, self._lines))
        self._line = builder.line
        return builder.build(self._row)

    def _builder(self) -> ChunkBuilder:
        return ChunkBuilder(self._columns, self._shaper, self._header, self.delimiter, self._line)
