"""The records of a file: each with a cell for every label, or else with what is wrong with it."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.labels import is_blank
from dbuploader.csvfile.layout import Layout
from dbuploader.csvfile.options import DELIMITER_NAMES, FileError, assumed_delimiter
from dbuploader.csvfile.record import Record
from dbuploader.csvfile.reject_file import RejectFile, is_reject_file
from dbuploader.csvfile.splitting import Split
from muster.contracts.rejects import CellError


class Shaper:
    """Makes records of split lines, as the file's layout has them."""

    def __init__(self, layout: Layout) -> None:
        columns = layout.columns
        self._width = len(columns)
        self._places = [place for place, column in enumerate(columns) if column is not None]
        self._first_blank = self._width - layout.blanks
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
        self.check_blanks(line, split.cells)
        if self._reject_file is None:
            return Record(line, row, self._pick(split.cells), None, ())
        cells = self._reject_file.original(split.cells)
        return self._reject_file.judge(Record(line, row, self._pick(cells), None, ()), cells)

    def cells(self, split: Split) -> tuple[str, ...] | None:
        """The cells of the table's columns; None where the record has not all its cells."""
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

    def drop_blank_columns(self, lines: pa.Int64Array, cells: pa.RecordBatch) -> pa.RecordBatch:
        """The cells without those under no label, which must be blank; raises FileError."""
        for place in range(self._first_blank, self._width):
            column = cells.column(str(place))
            filled = pc.not_equal(pc.utf8_trim_whitespace(column), "")
            for line, text in zip(
                lines.filter(filled).to_pylist(), column.filter(filled).to_pylist(), strict=True
            ):
                self._check_blank(line, place, text)
            cells = cells.drop_columns([str(place)])
        return cells

    def check_blanks(self, line: int, cells: Sequence[str]) -> None:
        """Return if the cells under no label are blank; raises FileError."""
        for place in range(self._first_blank, self._width):
            self._check_blank(line, place, cells[place])

    def _check_blank(self, line: int, place: int, text: str) -> None:
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
        # Given back as cells it must not load unless it is mended: a blank sees to that.
        if "" in filled:
            return Record(line, row, filled, None, errors)
        return Record(line, row, None, split.text, errors)

    def _pick(self, cells: Sequence[str]) -> tuple[str, ...]:
        return tuple([cells[place] for place in self._places])
