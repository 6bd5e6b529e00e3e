"""The first rows of a file: some to be shown, and what is wrong with all that are looked at."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from dbuploader.arrow import to_batch, to_plain
from dbuploader.csvfile.model import FileError, Record, shown
from dbuploader.csvfile.reader import CsvSketch
from dbuploader.csvfile.records import Split
from dbuploader.preview.dates import AmbiguousDates
from dbuploader.preview.model import PreviewCell, PreviewProblem, PreviewRow
from dbuploader.validation.rows import checker
from dbuploader.validation.types.cells import Value
from dbuploader.validation.warnings import TextWarnings
from dbuploader.workbooks.cells import UNREADABLE
from muster.contracts.encodings import AUTO
from muster.contracts.rejects import CellError
from muster.contracts.tables import Column, DatetimeColumn, Table
from muster.contracts.uploads import Options

_SHOWN_ROWS = 5
_LOOKED_AT = 1000
_LONGEST_TEXT = 1000
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


class _Good(NamedTuple):
    """A row without an error: its line, and its values in the declared order."""

    line: int
    values: tuple[Value, ...]


@dataclass
class _Fault:
    """A fault of rows: where the first is, what is said of it, and how many have it."""

    line: int
    message: str
    rows: int = 0


class FirstRows:
    """Looks through the first rows of `sketch`; `read` is how many, `shown` are the first of them.

    `error` is why the file fails at one of them, if it does.
    """

    def __init__(self, table: Table, options: Options, sketch: CsvSketch) -> None:
        self.shown: list[PreviewRow] = []
        self.read = 0
        self.error: FileError | None = None
        self._table, self._options, self._sketch = table, options, sketch
        self._width = len(sketch.layout.columns)
        declared = {column.name: column for column in table.columns}
        self._columns: list[Column] = [declared[label] for label in sketch.records.labels]
        self._faults: dict[tuple[str | None, str], _Fault] = {}
        self._dates = {
            column.name: AmbiguousDates(column)
            for column in self._columns
            if isinstance(column, DatetimeColumn)
        }
        self._good: list[_Good] = []
        try:
            self._look()
        except FileError as error:
            self.error = error

    def problems(self) -> Iterator[PreviewProblem]:
        """What is wrong or odd with them, save why the file fails."""
        for warning in self._sketch.layout.warnings:
            yield PreviewProblem(warning.code, warning.message, warning.line)
        yield from (dates.problem() for dates in self._dates.values() if dates.rows)
        for (column, code), fault in self._faults.items():
            yield PreviewProblem(code, fault.message, fault.line, column, fault.rows)
        yield from self._odd_texts()

    def _look(self) -> None:
        records = self._sketch.records
        for record, split in records.splits():
            if self._sketch.is_cut and _is_unclosed(record) and records.is_near_end():
                return
            self._take(record, split)
            if self.read == _LOOKED_AT:
                return

    def _take(self, record: Record, split: Split) -> None:
        self.read += 1
        for error in record.errors:
            self._count(record.line, self._explained(error, record))
        results = self._check(record)
        values = [result for result in results if not isinstance(result, CellError)]
        if len(values) == len(self._table.columns):
            by_name = dict(zip(self._sketch.records.labels, values, strict=True))
            in_order = tuple([by_name[name] for name in self._table.column_names])
            self._good.append(_Good(record.line, in_order))
        if len(self.shown) < _SHOWN_ROWS:
            self.shown.append(self._show(record, split, results))

    def _check(self, record: Record) -> list[Value | CellError]:
        """What the cells of the table's columns hold, if the record has all of its cells."""
        if record.cells is None or record.errors:
            return []
        results: list[Value | CellError] = []
        for column, text in zip(self._columns, record.cells, strict=True):
            result = checker(column, self._options.dates).check_cell(text)
            results.append(result)
            if isinstance(result, CellError) and not self._is_date(record.line, column, text):
                self._count(record.line, result)
        return results

    def _is_date(self, line: int, column: Column, text: str) -> bool:
        if self._options.dates != "iso" or column.name not in self._dates:
            return False
        return self._dates[column.name].take(line, text)

    def _count(self, line: int, error: CellError) -> None:
        # Of a file that fails as a whole, no row is told of.
        if self._sketch.error is None or error.code == "encoding-error":
            fault = self._faults.setdefault((error.column, error.code), _Fault(line, error.message))
            fault.rows += 1

    def _explained(self, error: CellError, record: Record) -> CellError:
        """The error; where the encoding may be the usual other one, with the text in that."""
        if error.code != "encoding-error" or self._options.encoding != AUTO or record.raw is None:
            return error
        text = _ESCAPED.sub(
            lambda byte: bytes.fromhex(byte[1]).decode("cp1252", "replace"), record.raw
        )
        message = (
            f"the text is not UTF-8. In windows-1252, which spreadsheets write, it is "
            f"{shown(text)}: if that is right, upload with encoding=windows-1252, else with the "
            "encoding that the file is in"
        )
        return CellError(error.code, error.column, message)

    def _show(
        self, record: Record, split: Split, results: Sequence[Value | CellError]
    ) -> PreviewRow:
        if record.cells is None:
            return PreviewRow(record.line, (), _cut(record.raw or ""), record.errors)
        texts = split.cells if len(split.cells) == self._width else [""] * self._width
        cells = [PreviewCell(_cut(text)) for text in texts]
        for number, place in enumerate(self._sketch.records.places):
            result = results[number] if results else None
            cells[place] = _cell(record.cells[number], result)
        return PreviewRow(record.line, tuple(cells), None, record.errors)

    def _odd_texts(self) -> Iterator[PreviewProblem]:
        if not self._good:
            return
        lines = pa.array([row.line for row in self._good], pa.int64())
        rows = to_batch(self._table, [to_plain(row.values) for row in self._good])
        doubts = TextWarnings(self._table, self._sketch.records.codec)
        for warning in doubts.find(lines, rows).first:
            yield PreviewProblem(warning.code, warning.message, warning.line)


def _in_windows_1252(escaped: re.Match[str]) -> str:
    return bytes.fromhex(escaped[1]).decode("cp1252", "replace")


def _is_unclosed(record: Record) -> bool:
    return any(error.code == "quote-error" for error in record.errors)


def _cell(text: str, result: Value | CellError | None) -> PreviewCell:
    shown_text = _cut(text.strip().removeprefix(UNREADABLE))
    if isinstance(result, CellError):
        return PreviewCell(shown_text, None, result)
    value = f"{result.isoformat()}Z" if isinstance(result, datetime) else result
    return PreviewCell(shown_text, value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
