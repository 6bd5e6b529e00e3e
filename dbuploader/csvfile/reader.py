"""Reading records: blocks at once where there is no quote, line by line where there is one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from dbuploader.csvfile.encoding import utf8_blocks
from dbuploader.csvfile.layout import Layout, find_layout
from dbuploader.csvfile.lines import LineQueue, whole_lines
from dbuploader.csvfile.options import CsvOptions, FileError
from dbuploader.csvfile.record import RECORD_BYTES, Record
from dbuploader.csvfile.splitting import Splitter
from muster.rejects import CellError
from muster.tables import Table

BLOCK_SIZE = 1024 * 1024
SAMPLE_SIZE = 64 * 1024
_EMPTY_LINES = (b"\n", b"\r\n", b"\r")
_UTF8_BYTES_AT_MOST = 4


def open_csv(
    stream: BinaryIO,
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
    chunks = whole_lines(utf8_blocks(stream, options.encoding, block_size))
    head, empty_lines = _read_head(chunks, sample_size)
    layout = find_layout(head, table, options)
    return CsvFile(layout, head, chunks, empty_lines)


def _read_head(chunks: Iterator[bytes], size: int) -> tuple[bytes, int]:
    """The file's beginning, from its first line that is not empty, and how many were before it."""
    head = b""
    empty_lines = 0
    for chunk in chunks:
        content = chunk if head else chunk.lstrip(b"\r\n")
        empty_lines += len(chunk[: len(chunk) - len(content)].splitlines())
        head += content
        if len(head) >= size:
            break
    if not head:
        raise FileError("empty-file", "The file has no record in it, not even a header.")
    return head, empty_lines


class CsvFile:
    """The records of a file, to be iterated over once, in bounded memory.

    `labels` are the table's columns in the order in which the file has them; `delimiter` is the
    character between its cells, `has_header` whether its first record was taken as the header.
    """

    def __init__(
        self, layout: Layout, head: bytes, further: Iterator[bytes], lines_before: int
    ) -> None:
        self.labels = tuple(column for column in layout.columns if column is not None)
        self.delimiter = layout.delimiter
        self.has_header = layout.header_lines > 0
        self._width = len(layout.columns)
        self._pick = _picker(layout.columns)
        self._splitter = Splitter(layout.delimiter, self._width)
        queue = LineQueue(head, further)
        queue.drop(layout.header_lines)
        self._chunks = filter(None, chain([queue.rest()], further))
        self._line = lines_before + layout.header_lines + 1
        self._row = 1

    def __iter__(self) -> Iterator[Record]:
        for chunk in self._chunks:
            lines = _plain_lines(chunk)
            if lines is None:
                yield from self._read_lines(LineQueue(chunk, self._chunks))
            else:
                yield from self._read_plain(lines)

    def _read_plain(self, lines: list[str]) -> Iterator[Record]:
        """The records of lines without a quote, of which each is one."""
        delimiter, width, pick = self.delimiter, self._width, self._pick
        row = self._row
        for line, text in enumerate(lines, self._line):
            if text:
                cells = text.split(delimiter)
                if len(cells) == width:
                    yield Record(line, row, pick(cells), None, ())
                else:
                    yield self._misshapen(line, row, text, cells)
                row += 1
        self._line += len(lines)
        self._row = row

    def _read_lines(self, queue: LineQueue) -> Iterator[Record]:
        """The records of a chunk that needs care, and the lines after it into which they reach."""
        while queue:
            line = queue.take()
            if line in _EMPTY_LINES:
                self._line += 1
                continue
            split = self._splitter.split(line, queue)
            if split.error is not None:
                yield Record(self._line, self._row, None, split.text, (split.error,))
            elif len(split.cells) != self._width:
                yield self._misshapen(self._line, self._row, split.text, split.cells)
            else:
                yield Record(self._line, self._row, self._pick(split.cells), None, ())
            self._line += split.lines
            self._row += 1

    def _misshapen(self, line: int, row: int, text: str, cells: list[str]) -> Record:
        """The record with too few or too many cells."""
        count = len(cells)
        message = (
            f"the row has {count} cells and needs {self._width}: put in what is missing, take out "
            "what is too much, or put quotes around a cell that holds the delimiter"
        )
        if count > self._width:
            return Record(line, row, None, text, (CellError("extra-cell", None, message),))
        errors = (CellError("missing-cell", None, message),)
        filled = self._pick(cells + [""] * (self._width - count))
        # Given back as cells it must not load unless it is mended: a blank sees to that.
        if "" in filled:
            return Record(line, row, filled, None, errors)
        return Record(line, row, None, text, errors)


def _plain_lines(chunk: bytes) -> list[str] | None:
    """The chunk's lines without their ends; None if a quote, a bad byte or length asks for care."""
    if b'"' in chunk:
        return None
    try:
        text = chunk.decode()
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.removesuffix("\n").split("\n")
    longest = max(map(len, lines)) * _UTF8_BYTES_AT_MOST
    return None if longest > RECORD_BYTES else lines


def _picker(columns: Sequence[str | None]) -> Callable[[list[str]], tuple[str, ...]]:
    """What takes the cells of the table's columns out of all cells of a record."""
    places = [place for place, column in enumerate(columns) if column is not None]
    if len(places) == len(columns):
        return tuple
    return lambda cells: tuple([cells[place] for place in places])
