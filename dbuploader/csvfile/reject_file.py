"""A reject file that is uploaded again: unchanged rows are rejected again, and none slips in.

`gateway/uploads/reject_file.py` wrote it. A header that names `_line` identifies such a file. It
is read strictly by RFC 4180, so that nothing inside a quoted cell is taken for a row.
"""

import re
from collections.abc import Sequence

from dbuploader.csvfile.model import Layout, Record
from muster.contracts.rejects import CellError

_LINE, _CODE, _COLUMN, _MESSAGE, _RAW = "_line", "_code", "_column", "_message", "_raw"
_SPREADSHEET = "_spreadsheet"
# What `?spreadsheet=safe` puts an apostrophe before.
_MADE_SAFE = re.compile(r"'+[=+\-@\t\r]")
# Faults of the text of a row, which its cells do not show.
_OF_THE_TEXT = frozenset(
    {"quote-error", "encoding-error", "row-error", "extra-cell", "missing-cell"}
)


def is_reject_file(layout: Layout) -> bool:
    """Whether the file is one of Muster's reject files."""
    return layout.place_of(_LINE) is not None


class RejectFile:
    """The records of a reject file, with what its own columns say about them."""

    def __init__(self, layout: Layout) -> None:
        self._code = layout.place_of(_CODE)
        self._message = layout.place_of(_MESSAGE)
        self._raw = layout.place_of(_RAW)
        self._is_safe = layout.place_of(_SPREADSHEET) is not None

    def original(self, cells: list[str]) -> list[str]:
        """The cells as they were before they were made safe for a spreadsheet."""
        if not self._is_safe:
            return cells
        return [cell[1:] if _MADE_SAFE.match(cell) else cell for cell in cells]

    def judge(self, record: Record, cells: Sequence[str]) -> Record:
        """The record, which has all its cells, or its former reject where it is as it was.

        That is so while `_raw` alone says what it held, and while cells that it lacked are blank.
        """
        code = self._text(self._code, cells)
        if code not in _OF_THE_TEXT or record.cells is None:
            return record
        error = CellError(code, None, self._text(self._message, cells) or "the row is as it was")
        blank = [not cell.strip() for cell in record.cells]
        if all(blank) and (raw := self._text(self._raw, cells)):
            return record._replace(cells=None, raw=raw, errors=(error,))
        if code == "missing-cell" and any(blank):
            return record._replace(errors=(error,))
        return record

    def only_inserts(self, cells: Sequence[str]) -> bool:
        """Whether the row must not change one that is there: its key was taken, it says."""
        return self._text(self._code, cells) == "primary-key"

    def _text(self, place: int | None, cells: Sequence[str]) -> str:
        return cells[place].strip() if place is not None else ""
