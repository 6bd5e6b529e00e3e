"""The sheet of a workbook that an upload means, to be read as the text of a CSV file is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from dbuploader.csvfile.dialect import LabelMap
from dbuploader.csvfile.model import FileError
from dbuploader.workbooks.cells import column_letters
from dbuploader.workbooks.process import TOO_LARGE, WorkbookProcess, Workspace, parsing
from muster.contracts.rejects import SheetColumns
from muster.contracts.tables import Table

DELIMITER, ENCODING = "tab", "utf-8"
"""How the text of a sheet is to be read."""

_PIECE = 1024 * 1024
_SHOWN_SHEETS = 20


class SheetWanted(NamedTuple):
    """Which sheet: the one of that `name`, else the first with a header of the table's columns.

    `columns` are the uploader's names of them; `may_have_header` says whether to look for one.
    """

    table: Table
    name: str | None
    columns: Mapping[str, str]
    may_have_header: bool


@dataclass(frozen=True)
class SheetInfo:
    """A worksheet of a workbook; one that is hidden is not `visible`."""

    name: str
    visible: bool


class NoSuchSheet(FileError):
    """The workbook has no sheet of that name; `sheets` are those that it has."""

    def __init__(self, name: str, sheets: Sequence[SheetInfo]) -> None:
        names = [sheet.name for sheet in sheets]
        known = ", ".join(names[:_SHOWN_SHEETS]) + ", …" * (len(names) > _SHOWN_SHEETS)
        super().__init__(
            "sheet-error", f"The workbook has no sheet {name!r}: sheet= takes one of {known}."
        )
        self.sheets = tuple(sheets)


class Sheet:
    """A sheet's text, to be read once. Its lines are the sheet's rows, from the first on.

    `name` is the sheet's, `all` are the sheets of its workbook, `first_column` is the place, from
    0, of the sheet's column in which the lines begin.
    """

    def __init__(
        self, sheets: Sequence[SheetInfo], number: int, process: WorkbookProcess, size: int
    ) -> None:
        self.all = sheets
        self.name = sheets[number].name
        self._process = process
        # Nothing but the text follows this answer.
        measures = process.ask(f"read {number}")
        self.first_column = int(measures["first_column"])
        self._rows = int(measures["rows"])
        self._size = size
        self._read = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes, none at the end. Raises FileError."""
        data = self._process.read(size)
        self._read += data.count(b"\n")
        if not data and self._read != self._rows:
            raise FileError(*TOO_LARGE)
        return data

    def columns(self, places: Sequence[int]) -> SheetColumns:
        """What the sheet calls the columns whose cells stand in those places of a line."""
        return SheetColumns(
            self.name, tuple(column_letters(self.first_column + place) for place in places)
        )

    def tell(self) -> int:
        """How far it is read, as a place in the workbook's file."""
        return self._size * self._read // max(self._rows, 1)


@contextmanager
def open_sheet(file: BinaryIO, wanted: SheetWanted, workspace: Workspace) -> Iterator[Sheet]:
    """The sheet of the workbook in `file`.

    Raises FileError, also while it is read, and what making or filling its copy raises.
    """
    with workspace.new_file() as copy:
        size = 0
        while piece := file.read(_PIECE):
            size += len(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[copy.write(rest) :]
            workspace.tick()
        with parsing(copy, workspace) as process:
            sheets = [SheetInfo(**each) for each in process.answer()["sheets"]]
            if wanted.name is None:
                number = _find(process, sheets, wanted)
            else:
                number = _number_of(wanted.name, sheets)
            yield Sheet(sheets, number, process, size)


def _find(process: WorkbookProcess, sheets: Sequence[SheetInfo], wanted: SheetWanted) -> int:
    """The number of the sheet, from 0."""
    labels = LabelMap(wanted.table, wanted.columns)
    filled: list[int] = []
    for number, sheet in enumerate(sheets):
        if not sheet.visible:
            continue
        rows = process.ask(f"head {number}")["rows"]
        if rows:
            filled.append(number)
        if rows and (not wanted.may_have_header or any(map(labels.is_header, rows))):
            return number
    if not filled:
        raise FileError("empty-file", "No visible sheet of the workbook has a value in it.")
    return filled[0]


def _number_of(name: str, sheets: Sequence[SheetInfo]) -> int:
    for number, sheet in enumerate(sheets):
        if sheet.name == name:
            return number
    raise NoSuchSheet(name, sheets)
