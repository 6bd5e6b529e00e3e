"""The records of a file: each with a cell for every label, or else with what is wrong with it."""

from collections.abc import Sequence

from dbuploader.csvfile.record import Record
from dbuploader.csvfile.splitting import Split
from muster.rejects import CellError


class Shaper:
    """Makes records of split lines.

    `columns` names the table's column in each place of a line, None where it is to be ignored.
    """

    def __init__(self, columns: Sequence[str | None]) -> None:
        self._width = len(columns)
        self._places = [place for place, column in enumerate(columns) if column is not None]

    def record(self, line: int, row: int, split: Split) -> Record:
        """Record number `row`, which begins on `line`."""
        if split.error is not None:
            return Record(line, row, None, split.text, (split.error,))
        if len(split.cells) != self._width:
            return self._misshapen(line, row, split)
        return Record(line, row, self._pick(split.cells), None, ())

    def _misshapen(self, line: int, row: int, split: Split) -> Record:
        """The record with too few or too many cells."""
        count = len(split.cells)
        message = (
            f"the row has {count} cells and needs {self._width}: put in what is missing, take out "
            "what is too much, or put quotes around a cell that holds the delimiter"
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
