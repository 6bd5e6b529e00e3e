"""Labels: what a header calls the columns, and which of the table's each of them means."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from muster.contracts.tables import Column, Table

_SEPARATORS = re.compile(r"[\s_\u2010-\u2015-]+")
_QUOTES = "\"'`\u00b4\u2018\u2019\u201c\u201d\u00ab\u00bb"
_SHOWN = 40
# More cells than any header has: a line of delimiters alone may have 65,536.
_MOST_LABELS = 1000
# A number, or numbers with what stands between those of a date.
_DATA = re.compile(r"[+-]?[0-9][0-9\s.,:/+TtZz-]*")
_VALUES = {
    "integer": re.compile(r"[+-]?[0-9]+(?:\.0*)?"),
    "datetime": re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}\b.*"),
}


def fold_label(label: str) -> str:
    """The label without what people write differently: two that fold alike mean the same.

    Those are white space, invisible characters, capitals, hyphens, underscores and camel case, and
    around it all `[]`, quotes and a leading `#`.
    """
    # Compatibility forms: a no-break space is a space, a full-width letter a letter.
    text = unicodedata.normalize("NFKC", label)
    text = "".join(each for each in text if unicodedata.category(each) not in {"Cf", "Cc"}).strip()
    text = text.removeprefix("#").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return _SEPARATORS.sub("", text.strip(_QUOTES)).casefold()


class LabelMap:
    """Finds the columns of `table` by its own names and aliases, and by the uploader's labels.

    `named` gives the uploader's: the column that each label means, blank for one to pass over.
    """

    def __init__(self, table: Table, named: Mapping[str, str]) -> None:
        self._columns = {fold_label(column.name): column.name for column in table.columns}
        for column in table.columns:
            self._columns |= {fold_label(alias): column.name for alias in column.aliases}
        self._columns |= {fold_label(label): column for label, column in named.items()}

    def column(self, label: str) -> str | None:
        """The column that `label` means; blank to pass it over, None if it means none."""
        if label.strip().startswith("_"):
            return ""
        return self._columns.get(fold_label(label))

    def count(self, labels: Sequence[str]) -> int:
        """How many different columns the labels name; 0 when one of them can only be data."""
        if len(labels) > _MOST_LABELS or any(_DATA.fullmatch(label.strip()) for label in labels):
            return 0
        return len({column for label in labels if (column := self.column(label))})


def shown(text: str) -> str:
    r"""`text` in quotes for a message: shortened, with `\` escapes for what is not to be seen."""
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return '"' + "".join(map(_visible, short)) + '"'


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def is_blank(text: str) -> bool:
    """Whether there is nothing to be seen in `text`: white space of any kind, or invisible."""
    return all(each.isspace() or unicodedata.category(each) in {"Cf", "Cc"} for each in text)


def looks_typed(column: Column, text: str) -> bool | None:
    """Whether `text` could be an integer or datetime as `column` wants; None if it wants neither.

    It may be out of range, or no real date: then its row is rejected for that.
    """
    shape = _VALUES.get(column.type)
    return None if shape is None else shape.fullmatch(text.strip()) is not None
