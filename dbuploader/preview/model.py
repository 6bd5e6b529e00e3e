"""What a preview says; `gateway/api/responses.py` describes it as users get it."""

from dataclasses import dataclass

from dbuploader.workbooks.sheet import SheetInfo
from muster.contracts.rejects import CellError


@dataclass(frozen=True)
class PreviewColumn:
    """A column of the file, and the table's that it is: blank if it is passed over.

    `label` is None without a header, `column` where the label means none.
    """

    label: str | None
    column: str | None


@dataclass(frozen=True)
class PreviewCell:
    """A cell's text, and its value as rows of the API have it, or what is wrong with it."""

    text: str
    value: int | str | None = None
    error: CellError | None = None


@dataclass(frozen=True)
class PreviewRow:
    """A row that begins on the physical `line`; one that can't be split has but its `text`."""

    line: int
    cells: tuple[PreviewCell, ...]
    text: str | None = None
    errors: tuple[CellError, ...] = ()


@dataclass(frozen=True)
class DateReading:
    """What the text of a cell means if the day stands first, and if the month does."""

    line: int
    text: str
    dmy: str | None
    mdy: str | None


@dataclass(frozen=True)
class PreviewProblem:
    """What is wrong or odd, where, and what to do.

    The file `fails` as it is; or so many of the rows that were looked at are concerned.
    """

    code: str
    message: str
    line: int | None = None
    column: str | None = None
    rows: int | None = None
    fails: bool = False
    readings: tuple[DateReading, ...] = ()


@dataclass(frozen=True)
class Preview:
    """The beginning of a file as it would be read; `read` is how many rows were looked at.

    `header` is None where it can't be told whether there is one; `encoding` and `delimiter` are
    None of a workbook, `sheet` of CSV.
    """

    table: str
    encoding: str | None = None
    delimiter: str | None = None
    header: str | None = None
    columns: tuple[PreviewColumn, ...] = ()
    rows: tuple[PreviewRow, ...] = ()
    problems: tuple[PreviewProblem, ...] = ()
    sheet: str | None = None
    sheets: tuple[SheetInfo, ...] = ()
    read: int = 0
