"""What a wrong cell may have been meant to hold: a question for a person, never an act.

A foreign key may hold a name instead of a key, a column of few values one that is misspelt, and a
number or a date letters that look like digits, or the day where nothing says which number it is.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day

from rapidfuzz import fuzz, process
from rapidfuzz.utils import default_process
from sqlalchemy import Connection

from dbuploader.db.lookup import first_names
from dbuploader.validation.rows import parse_cell
from dbuploader.validation.types.cells import CellProblem, Value
from muster.contracts.tables import Column, DatetimeColumn, IntegerColumn, StringColumn, get_table
from muster.contracts.uploads import DateOrder

# What a check costs at most: so many names are compared with so many texts.
_MOST_NAMES = 2000
_MOST_TEXTS = 100
_LONGEST_TEXT = 100
_MOST_SUGGESTIONS = 3
# Of 100: below it, names that people would not mistake for each other match, too.
_NEAR = 80
# Letters that are taken for digits, and the dashes that programs make of hyphens.
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
_QUOTES = "'\"`\u00b4\u2019"
_LOOKALIKES = str.maketrans(f"OoIl|{_DASHES}", f"00111{'-' * len(_DASHES)}", _QUOTES)
_DATE_ORDERS: tuple[DateOrder, ...] = ("iso", "dmy", "mdy")


@dataclass(frozen=True)
class Suggestion:
    """A text that the cell could hold, and what it stands for, such as a department's name."""

    value: str
    name: str | None = None


class Suggestions:
    """Finds them for the cells of one check; `may_name`: whether names of rows may be shown."""

    def __init__(self, connection: Connection, *, may_name: bool) -> None:
        self._connection = connection
        self._may_name = may_name
        self._names: dict[str, _Names] = {}
        self._found: dict[tuple[Column, str], tuple[Suggestion, ...]] = {}

    def find(self, column: Column, text: str) -> tuple[Suggestion, ...]:
        """At most three for a cell with that text, which is wrong in its column, the best first."""
        text = text.strip()
        if not text or len(text) > _LONGEST_TEXT:
            return ()
        if (column, text) not in self._found:
            if len(self._found) == _MOST_TEXTS:
                return ()
            found = dict.fromkeys(self._of(column, text))
            others = [each for each in found if each.value != text]
            self._found[column, text] = tuple(others[:_MOST_SUGGESTIONS])
        return self._found[column, text]

    def _of(self, column: Column, text: str) -> Iterable[Suggestion]:
        yield from _read_otherwise(column, text)
        match column:
            case IntegerColumn(parent=str(parent)) if self._may_name:
                names = self._names_of(parent)
                yield from (Suggestion(key, names.full[key]) for key in names.nearest(text))
            case StringColumn(enum=enum) if enum:
                yield from map(Suggestion, _Names({value: value for value in enum}).nearest(text))

    def _names_of(self, parent: str) -> "_Names":
        """The names of the first rows of the table, by their keys."""
        if parent not in self._names:
            names = first_names(self._connection, get_table(parent), _MOST_NAMES)
            self._names[parent] = _Names({str(key): name for key, name in names})
        return self._names[parent]


class _Names:
    """Names by key, to be compared with texts: neither case nor punctuation makes a difference."""

    def __init__(self, full: Mapping[str, str]) -> None:
        self.full = full
        self._plain = {key: default_process(name) for key, name in full.items()}

    def nearest(self, text: str) -> list[str]:
        """The keys of the nearest names, the best first; only those of the same name, if any."""
        plain = default_process(text)
        if not plain or plain.isdecimal():
            return []
        found = process.extract(
            plain,
            self._plain,
            scorer=fuzz.WRatio,
            score_cutoff=_NEAR,
            limit=_MOST_SUGGESTIONS,
        )
        same = [key for name, _, key in found if name == plain]
        return same or [key for _, _, key in found]


def _read_otherwise(column: Column, text: str) -> Iterable[Suggestion]:
    """The text as it would be right, if it looks like a number or a date that is."""
    if isinstance(column, StringColumn):
        return
    plain = unicodedata.normalize("NFKC", text).translate(_LOOKALIKES).strip(" .,;:#")
    if isinstance(column, IntegerColumn):
        plain = plain.replace(",", "").replace(" ", "")
    for order in _DATE_ORDERS if isinstance(column, DatetimeColumn) else _DATE_ORDERS[:1]:
        value = _parse(column, plain, order)
        if isinstance(value, datetime):
            time = "" if value.time() == time_of_day.min else f", {value:%H:%M:%S}"
            yield Suggestion(f"{value.isoformat()}Z", f"{value.day} {value:%B %Y}{time}")
        elif value is not None:
            yield Suggestion(str(value))


def _parse(column: Column, text: str, dates: DateOrder) -> Value | None:
    try:
        return parse_cell(column, text, dates)
    except CellProblem:
        return None
