"""Physical lines to records: RFC 4180, what stray quotes do, and what a record must have."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from dbuploader.csvfile.encoding import show_undecodable
from dbuploader.csvfile.lines import Lines
from dbuploader.csvfile.model import (
    DELIMITER_NAMES,
    RECORD_BYTES,
    RECORD_LINES,
    STRICT_RECORD_BYTES,
    FileError,
    Layout,
    Record,
    assumed_delimiter,
    is_blank,
)
from dbuploader.csvfile.reject_file import RejectFile, is_reject_file
from muster.contracts.rejects import CellError

_UNCLOSED = (
    f"a quote that opens in this line does not close within {RECORD_LINES} lines and "
    f"{RECORD_BYTES // 1024} KiB, or not before the next row: close it, or take it away"
)
_MISPLACED = (
    "a quote stands in the middle of a cell: put quotes around the whole cell and double each one "
    "inside it, or take it away"
)
_TOO_LONG = CellError(
    "row-error",
    None,
    f"the line is longer than {RECORD_BYTES // 1024} KiB, of which only the beginning is kept: "
    "shorten it",
)
_UNDECODABLE = CellError(
    "encoding-error",
    None,
    r"the text is not valid in the file's encoding where it shows \x: save the file as UTF-8, or "
    "name its encoding when uploading it",
)


class Split(NamedTuple):
    """One record, split.

    `lines` is how many physical lines it takes, `text` what they hold without the last line end.
    `cells` is empty when `error` says why they could not be told apart. With another error they are
    those of `text`, which is then not what the file has.
    """

    lines: int
    text: str
    cells: list[str]
    error: CellError | None


class Splitter:
    """Splits records whose cells `delimiter` separates, `width` cells to a record.

    A `strict` one reads each quote as RFC 4180 says, whatever stands in the lines after it: where
    quotes do not pair up, all that may be inside them is rejected with them.
    """

    def __init__(self, delimiter: str, width: int, *, strict: bool = False) -> None:
        self._strict = strict
        blanks = "".join(sorted({" ", "\t", "\x0b", "\x0c"} - {delimiter}))
        # Possessive throughout: there is one way to read a cell, so none is kept to come back to.
        self._cell = re.compile(
            rf'[{blanks}]*+"((?:[^"]++|"")*+)("?)[{blanks}]*+|[^"{re.escape(delimiter)}]*+'
        )
        self._delimiter = delimiter
        self._raw_delimiter = delimiter.encode()
        self._width = width

    def split(self, line: bytes, following: Lines) -> Split:
        """The record that begins with `line`, which may have its line end.

        Lines of `following` are taken when they belong to the record. A line with a quote that does
        not close, or that stands in mid-cell, is a record by itself.
        """
        if self._strict:
            return self._split_strictly(line, following)
        body = line.rstrip(b"\r\n")
        if len(body) > RECORD_BYTES:
            return self._split_cut(body)
        if body.count(b'"') % 2 and (count := self._count_continuations(line, following)):
            record = b"".join([line, *islice(following.look_ahead(), count)]).rstrip(b"\r\n")
            split = self._split_record(record, 1 + count)
            # Otherwise the quote is a stray one, and must not take further lines along.
            if len(split.cells) == self._width:
                following.drop(count)
                return split
        return self._split_record(body, 1)

    def _split_strictly(self, line: bytes, following: Lines) -> Split:
        size, quotes, count = len(line), line.count(b'"'), 0
        for further in islice(following.look_ahead(), RECORD_LINES - 1):
            if quotes % 2 == 0 or size > STRICT_RECORD_BYTES:
                break
            size, quotes, count = size + len(further), quotes + further.count(b'"'), count + 1
        record = b"".join([line, *islice(following.look_ahead(), count)]).rstrip(b"\r\n")
        following.drop(count)
        if size > STRICT_RECORD_BYTES:
            return self._split_cut(record)._replace(lines=1 + count)
        return self._split_record(record, 1 + count)

    def _split_record(self, record: bytes, lines: int) -> Split:
        try:
            text = record.decode()
        except UnicodeDecodeError:
            text = show_undecodable(record)
            cells, problem = self._cells(text)
            return Split(lines, text, cells, problem or _UNDECODABLE)
        if '"' not in text:
            return Split(lines, text, text.split(self._delimiter), None)
        cells, problem = self._cells(text)
        return Split(lines, text, cells, problem)

    def _split_cut(self, body: bytes) -> Split:
        end = RECORD_BYTES
        # Not in the middle of a character, of which at most three bytes are continuation bytes.
        while end > RECORD_BYTES - 3 and body[end] & 0xC0 == 0x80:
            end -= 1
        text = show_undecodable(body[:end])
        _, problem = self._cells(text)
        return Split(1, text, [], problem or _TOO_LONG)

    def _count_continuations(self, line: bytes, following: Lines) -> int:
        """How many further lines it takes until the quotes pair up; 0 when they do not.

        A line with the delimiters of a whole record is taken for one: the quote before it is then a
        stray one, which would otherwise take along all rows up to the next stray quote.
        """
        size = len(line)
        for index, further in enumerate(islice(following.look_ahead(), RECORD_LINES - 1)):
            size += len(further)
            if size > RECORD_BYTES or further.count(self._raw_delimiter) == self._width - 1:
                return 0
            if further.count(b'"') % 2:
                return index + 1
        return 0

    def _cells(self, text: str) -> tuple[list[str], CellError | None]:
        """The cells of a record that has quotes in it, or what is wrong with the quotes."""
        cells: list[str] = []
        position = 0
        while match := self._cell.match(text, position):
            quoted, closing = match.groups()
            if quoted is None:
                cells.append(match[0])
            elif closing:
                cells.append(quoted.replace('""', '"'))
            else:
                return [], CellError("quote-error", None, _UNCLOSED)
            position = match.end()
            if position == len(text):
                break
            if text[position] != self._delimiter:
                return [], CellError("quote-error", None, _MISPLACED)
            position += 1
        return cells, None


class Shaper:
    """Makes records of split lines, by the file's layout.

    The cells in the `blank_places` stand under no label, and must be blank.
    """

    def __init__(self, layout: Layout) -> None:
        columns = layout.columns
        self._width = len(columns)
        self._places = [place for place, column in enumerate(columns) if column is not None]
        self.blank_places = range(self._width - layout.blanks, self._width)
        self._reject_file = RejectFile(layout) if is_reject_file(layout) else None
        self._assumed = (
            f". {assumed_delimiter(DELIMITER_NAMES[layout.delimiter], self._width)}"
            if layout.is_assumed
            else ""
        )

    def record(self, line: int, row: int, split: Split) -> Record:
        """Record number `row`, which begins on `line`.

        Raises FileError when it has a value in a column that has no label.
        """
        if split.error is not None:
            return Record(line, row, None, split.text, (split.error,))
        if len(split.cells) != self._width:
            return self._misshapen(line, row, split)
        for place in self.blank_places:
            self.check_blank(line, place, split.cells[place])
        if self._reject_file is None:
            return Record(line, row, self._pick(split.cells), None, ())
        cells = self._reject_file.original(split.cells)
        return self._reject_file.judge(Record(line, row, self._pick(cells), None, ()), cells)

    def cells(self, split: Split) -> tuple[str, ...] | None:
        """The cells of the table's columns; None if the record does not have all its cells."""
        if split.error is not None or len(split.cells) != self._width:
            return None
        return self._pick(split.cells)

    def only_inserts(self, split: Split) -> bool:
        """Whether the row of a reject file must not change one that is there."""
        return (
            self._reject_file is not None
            and len(split.cells) == self._width
            and self._reject_file.only_inserts(split.cells)
        )

    def check_blank(self, line: int, place: int, text: str) -> None:
        """Return if the cell is blank, whose place is one of `blank_places`; raises FileError."""
        if not is_blank(text):
            raise FileError(
                "blank-label",
                f"Line {line} has a value in column {place + 1}, which has no label: give it one "
                "that begins with _ to have it ignored, or take the column out.",
            )

    def _misshapen(self, line: int, row: int, split: Split) -> Record:
        """The record with too few or too many cells."""
        count = len(split.cells)
        message = (
            f"the row has {count} cells and needs {self._width}: put in what is missing, take out "
            f"what is too much, or put quotes around a cell that holds the delimiter{self._assumed}"
        )
        if count > self._width:
            return Record(line, row, None, split.text, (CellError("extra-cell", None, message),))
        errors = (CellError("missing-cell", None, message),)
        filled = self._pick(split.cells + [""] * (self._width - count))
        # Returned as cells, it must not load uncorrected: a blank ensures that.
        if "" in filled:
            return Record(line, row, filled, None, errors)
        return Record(line, row, None, split.text, errors)

    def _pick(self, cells: Sequence[str]) -> tuple[str, ...]:
        return tuple([cells[place] for place in self._places])
