"""What the cells of a sheet hold, as the text that a CSV file would have in their place.

Each row is one physical line, so that its line is its number in the sheet. A line break within a
cell therefore becomes a vertical tab: no column takes a control character.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

Cell = int | float | str | bool | date | datetime | time | timedelta
"""What python-calamine gives: a cell without a value is an empty text."""

UNREADABLE = "\x1a"
"""The text of a cell that no column takes begins so: an error such as #REF!, or a time alone.

It is the character that stands for one that can't be shown, and none that a string may hold.
"""

# More digits than this a spreadsheet does not keep.
_MOST_EXACT = 10**15
# Before it, not all programs count the same day under the same number.
_FIRST_CERTAIN_DATE = date(1900, 3, 1)
_LINE_BREAKS = str.maketrans({"\r": "\v", "\n": "\v"})


def text_of(cell: Cell, *, counts_days: bool) -> str:
    """The cell's text: numbers without needless digits, dates as ISO 8601 has them.

    With `counts_days` the workbook keeps dates as numbers of days.
    """
    match cell:
        case str():
            return cell.replace("\r\n", "\n").translate(_LINE_BREAKS)
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer() and abs(cell) < _MOST_EXACT:
            return str(int(cell))
        case int() | float():
            return repr(cell)
        case time() | timedelta():
            return f"{UNREADABLE}{cell}"
    day = cell.date() if isinstance(cell, datetime) else cell
    sign = UNREADABLE if counts_days and day < _FIRST_CERTAIN_DATE else ""
    return f"{sign}{_moment(cell)}"


def _moment(cell: date) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds" if cell.microsecond else "seconds")
    return cell.isoformat()


def width_of(row: Sequence[str]) -> int:
    """How many cells the row has without the blank ones at its end."""
    width = len(row)
    while width and not row[width - 1]:
        width -= 1
    return width


def line_of(row: Sequence[str], width: int) -> bytes:
    """The row as a line of text, tabs between its cells: `width` of them, or more if they hold any.

    A row without a value is an empty line.
    """
    used = width_of(row)
    if not used:
        return b"\n"
    cells = row[: max(used, width)]
    return ("\t".join([_quoted(cell) for cell in cells]) + "\n").encode()


def _quoted(cell: str) -> str:
    if '"' in cell or "\t" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def column_number(letters: str) -> int:
    """The number, from 0, of the column that a spreadsheet calls so."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def column_letters(number: int) -> str:
    """What a spreadsheet calls the column with that number, from 0."""
    letters = ""
    while number >= 0:
        number, letter = divmod(number, 26)
        letters = chr(ord("A") + letter) + letters
        number -= 1
    return letters
