"""What the stages of reading a file hand on: options, layout, record, and the error of a file."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from muster.contracts.rejects import CellError
from muster.contracts.uploads import UploadWarning

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "pipe": "|"}
DELIMITER_NAMES = {character: name for name, character in DELIMITERS.items()}

RECORD_BYTES = 64 * 1024
RECORD_LINES = 100
# Of a reject file: a record's text with its quotes doubled, and what is wrong with it.
STRICT_RECORD_BYTES = 4 * RECORD_BYTES

_SHOWN = 40


@dataclass(frozen=True)
class CsvOptions:
    """What the uploader said about the file; `auto` is determined from its beginning.

    `delimiter` is `auto` or a name in DELIMITERS; `encoding` is `auto` or the name of a codec.
    `columns` gives the column that a label means, blank for a label to pass over.
    """

    header: Literal["auto", "present", "absent"] = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How the records of a file are laid out.

    `head_lines` is how many physical lines there are before the first row: those of the header, and
    of what stands above it. `columns` names the table's column in each place, None where the place
    is to be ignored; the last `blanks` of them must hold nothing. `labels` is the header's text in
    each place, empty without a header. `is_assumed` says that no delimiter gave the records the
    table's number of columns.
    """

    delimiter: str
    columns: tuple[str | None, ...]
    head_lines: int = 0
    labels: tuple[str, ...] = ()
    blanks: int = 0
    is_assumed: bool = False
    warnings: tuple[UploadWarning, ...] = ()

    def place_of(self, label: str) -> int | None:
        """Where the header has a label of ours, such as `_line`; None if it does not."""
        return self.labels.index(label) if label in self.labels else None


class Record(NamedTuple):
    """One record.

    `line` is the physical line, from 1, on which it begins; `row` its number, from 1, the header
    not counted. `cells` are its texts, untrimmed, one for each label of the file. A record that
    could not be split into them has `errors`, its text in `raw`, and no cells; one with too few
    has `errors`, and blanks for the cells that it lacks.
    """

    line: int
    row: int
    cells: tuple[str, ...] | None
    raw: str | None
    errors: tuple[CellError, ...]


class FileError(Exception):
    """The file as a whole cannot be read: none of its rows was looked at.

    `code` is one of docs/csv.md, `detail` says what is wrong and what to do.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def assumed_delimiter(name: str, width: int) -> str:
    """Says that the delimiter `name` was assumed, without a full stop."""
    return (
        f"No delimiter gives the rows {width} cells, so {name!r} was assumed: "
        "delimiter= names another"
    )


def shown(text: str) -> str:
    r"""`text` in quotes for a message: shortened, with `\` escapes for what is invisible."""
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return '"' + "".join(map(_visible, short)) + '"'


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def is_blank(text: str) -> bool:
    """Whether `text` shows nothing: it has only white space and invisible characters."""
    return all(each.isspace() or unicodedata.category(each) in {"Cf", "Cc"} for each in text)
