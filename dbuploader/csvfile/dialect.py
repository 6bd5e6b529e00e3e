"""What the beginning of a file says about all of it: the delimiter, the header, the columns.

The rules are in docs/csv.md. Nothing ambiguous is guessed: a file whose first records are neither a
header nor rows fails.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from dbuploader.csvfile.lines import Lines, count_lines
from dbuploader.csvfile.model import (
    DELIMITER_NAMES,
    DELIMITERS,
    CsvOptions,
    FileError,
    Layout,
    assumed_delimiter,
    is_blank,
    shown,
)
from dbuploader.csvfile.records import Split, Splitter
from muster.contracts.tables import Column, Table
from muster.contracts.uploads import UploadWarning

_SAMPLE_RECORDS = 100
HEADER_WITHIN = 10
"""The header is one of so many first records."""

_SHOWN_CELLS = 12

_SEPARATORS = re.compile(r"[\s_\u2010-\u2015-]+")
_QUOTES = "\"'`\u00b4\u2018\u2019\u201c\u201d\u00ab\u00bb"
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
    text = _visible(label).strip().removeprefix("#").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return _SEPARATORS.sub("", text.strip(_QUOTES)).casefold()


def _visible(label: str) -> str:
    if label.isascii() and label.isprintable():
        return label
    # Compatibility forms: a no-break space is a space, a full-width letter a letter.
    text = unicodedata.normalize("NFKC", label)
    return "".join(each for each in text if unicodedata.category(each) not in {"Cf", "Cc"})


@lru_cache
def _declared_labels(columns: tuple[Column, ...]) -> Mapping[str, str]:
    """The columns by their folded names and aliases."""
    names = {fold_label(column.name): column.name for column in columns}
    return names | {
        fold_label(alias): column.name for column in columns for alias in column.aliases
    }


class LabelMap:
    """Finds the columns of `table` by its own names and aliases, and by the uploader's labels.

    `named` gives the uploader's: the column that each label means, blank for one to pass over.
    """

    def __init__(self, table: Table, named: Mapping[str, str]) -> None:
        # Of a table with two columns one is enough: the other may be the one that is misspelt.
        self._enough = min(2, len(table.columns) - 1)
        mine = {fold_label(label): column for label, column in named.items()}
        self._columns = {**_declared_labels(table.columns), **mine}

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

    def is_header(self, labels: Sequence[str]) -> bool:
        """Whether a record with these cells is a header, as it names enough of the columns."""
        return self.count(labels) >= self._enough


def looks_typed(column: Column, text: str) -> bool | None:
    """Whether `text` could be an integer or datetime as `column` wants; None if it wants neither.

    It may be out of range, or no real date: then its row is rejected for that.
    """
    shape = _VALUES.get(column.type)
    return None if shape is None else shape.fullmatch(text.strip()) is not None


def delimiter_candidates(options: CsvOptions) -> tuple[str, ...]:
    """The delimiter that was asked for, or all that are tried, in the order of preference."""
    if options.delimiter == "auto":
        return tuple(DELIMITERS.values())
    try:
        return (DELIMITERS[options.delimiter],)
    except KeyError:
        names = ", ".join(["auto", *DELIMITERS])
        detail = f"There is no delimiter {options.delimiter!r}: use one of {names}."
        raise FileError("dialect-error", detail) from None


class _Sampled(NamedTuple):
    """A record of the sample: the physical line, from 1, on which it begins, and its cells.

    The cells of one that can't be split are a guess.
    """

    line: int
    split: Split
    cells: list[str]


class _Reading(NamedTuple):
    """The sample under one delimiter: its records, and which is the header, if one is."""

    delimiter: str
    records: list[_Sampled]
    header: int | None
    named: int


def find_layout(sample: bytes, table: Table, options: CsvOptions, first_line: int = 1) -> Layout:
    """The layout of a file that begins with `sample`: whole lines, the first of them not empty.

    `first_line` is that line's number. Raises FileError when the file has no header and cannot be
    without one, or when the header names not exactly the columns of `table`.
    """
    labels = LabelMap(table, options.columns)
    best, is_assumed = _best(_readings(sample, table, options, first_line), table, options)
    if best.header is None:
        layout = _without_header(best, table, options, is_assumed=is_assumed)
    else:
        layout = _with_header(best, best.header, table, labels, first_line)
    return replace(layout, is_assumed=is_assumed)


class Sketch(NamedTuple):
    """What the beginning of a file looks like, and why the file has no layout, if it has none."""

    layout: Layout
    error: FileError | None


def sketch_layout(sample: bytes, table: Table, options: CsvOptions, first_line: int = 1) -> Sketch:
    """As `find_layout`; a file that it refuses still gets a layout, by which to show its rows.

    Each place has the column that its label names, unless one before it has. Where no record is a
    header, the labels are those of the first that may be meant as one.
    """
    readings = _readings(sample, table, options, first_line)
    best, is_assumed = _best(readings, table, options)
    if is_assumed and best.header is None:
        best = max(readings, key=_regularity)
        options = replace(options, delimiter=DELIMITER_NAMES[best.delimiter])
    try:
        return Sketch(find_layout(sample, table, options, first_line), None)
    except FileError as error:
        return Sketch(_sketch(best, table, LabelMap(table, options.columns), first_line), error)


def _sketch(reading: _Reading, table: Table, labels: LabelMap, first_line: int) -> Layout:
    place = _likely_header(reading) if reading.header is None else reading.header
    if place is None:
        names = table.column_names
        further = max(_usual_width(reading) - len(names), 0)
        return Layout(reading.delimiter, (*names, *[None] * further))
    header = reading.records[place]
    columns: list[str | None] = []
    for cell in header.cells:
        column = labels.column(cell) or None
        columns.append(None if column in columns else column)
    return Layout(
        reading.delimiter,
        tuple(columns),
        head_lines=header.line - first_line + header.split.lines,
        labels=tuple(cell.strip() for cell in header.cells),
    )


def _likely_header(reading: _Reading) -> int | None:
    """The first record that is as wide as most and holds nothing but words."""
    for place, record in enumerate(reading.records[:HEADER_WITHIN]):
        words = [cell.strip() for cell in record.cells if not is_blank(cell)]
        if len(record.cells) == _usual_width(reading) and words:
            return None if any(map(_DATA.fullmatch, words)) else place
    return None


def _usual_width(reading: _Reading) -> int:
    widths = Counter(len(record.cells) for record in reading.records)
    return widths.most_common(1)[0][0]


def _regularity(reading: _Reading) -> int:
    """How many records have several cells, and as many as most."""
    width = _usual_width(reading)
    return sum(len(record.cells) == width for record in reading.records) if width > 1 else 0


def _readings(
    sample: bytes, table: Table, options: CsvOptions, first_line: int
) -> Sequence[_Reading]:
    labels = LabelMap(table, options.columns)
    return [
        _read(sample, delimiter, table, labels, options, first_line)
        for delimiter in _distinct(delimiter_candidates(options), sample)
    ]


def _best(readings: Sequence[_Reading], table: Table, options: CsvOptions) -> tuple[_Reading, bool]:
    """The reading to go by, and whether its delimiter is but assumed."""
    fits = [_fit(reading, table) for reading in readings]
    best = max(readings, key=lambda reading: reading.named)
    if best.header is None:
        best = readings[fits.index(max(fits))]
    return best, options.delimiter == "auto" and not any(records for records, _ in fits)


def _distinct(delimiters: Sequence[str], sample: bytes) -> list[str]:
    """Those to try: the first, and of the others those that are in the sample.

    Under one that is not, each record is one cell: that is never better than one before it.
    """
    first, *others = delimiters
    return [first, *(delimiter for delimiter in others if delimiter.encode() in sample)]


def _read(
    sample: bytes,
    delimiter: str,
    table: Table,
    labels: LabelMap,
    options: CsvOptions,
    first_line: int,
) -> _Reading:
    records = _split_sample(sample, delimiter, len(table.columns), first_line)
    if options.header == "absent":
        return _Reading(delimiter, records, None, 0)
    for place, record in enumerate(records[:HEADER_WITHIN]):
        if labels.is_header(record.cells):
            return _Reading(delimiter, records, place, labels.count(record.cells))
    return _Reading(delimiter, records, 0 if options.header == "present" else None, 0)


def _split_sample(sample: bytes, delimiter: str, width: int, first_line: int) -> list[_Sampled]:
    splitter = Splitter(delimiter, width)
    lines = Lines(iter([sample]))

    def records() -> Iterator[_Sampled]:
        number = first_line
        while lines.fill():
            line = lines.take()
            if line.rstrip(b"\r\n"):
                split = splitter.split(line, lines)
                yield _Sampled(number, split, _cells_of(split, delimiter))
                number += split.lines
            else:
                number += count_lines(line, 0, len(line))

    return list(islice(records(), _SAMPLE_RECORDS))


def _cells_of(split: Split, delimiter: str) -> list[str]:
    if split.error is None:
        return split.cells
    return [cell.strip(' \t"') for cell in split.text.split(delimiter)]


def _fit(reading: _Reading, table: Table) -> tuple[int, int]:
    """How many records have the table's number of cells, and how many cells have their type."""
    fitting = _fitting(reading.records, len(table.columns))
    typed = sum(
        looks_typed(column, cell) is True
        for record in fitting
        for column, cell in zip(table.columns, record.cells, strict=False)
    )
    return len(fitting), typed


def _fitting(records: Sequence[_Sampled], width: int) -> list[_Sampled]:
    """The records with `width` cells, or with more of which the further ones are blank."""
    return [
        record
        for record in records
        if len(record.cells) >= width and all(map(is_blank, record.cells[width:]))
    ]


def _row_width(records: Sequence[_Sampled], width: int) -> int:
    """How many cells the rows have, where a delimiter at their end may make it more than `width`.

    That is so only if all of them have as many: else each row is read for itself.
    """
    widths = {len(record.cells) for record in records}
    if len(widths) == 1 and len(_fitting(records, width)) == len(records):
        return widths.pop()
    return width


def _without_header(
    reading: _Reading, table: Table, options: CsvOptions, *, is_assumed: bool
) -> Layout:
    if options.header == "auto":
        _require_row(reading, table, is_assumed=is_assumed)
    names = table.column_names
    blanks = _row_width(reading.records, len(names)) - len(names)
    return Layout(reading.delimiter, (*names, *[None] * blanks), blanks=blanks)


def _require_row(reading: _Reading, table: Table, *, is_assumed: bool) -> None:
    """Return if the first record with any integer or datetime cell filled has one of its type.

    Raises FileError if it has none: it can be neither header nor row.
    """
    for record in reading.records[:HEADER_WITHIN]:
        pairs = zip(table.columns, record.cells, strict=False)
        typed = [looks_typed(*pair) for pair in pairs if not is_blank(pair[1])]
        if True in typed:
            return
        if False in typed:
            detail = _unknown_header(record, reading.delimiter, table, is_assumed=is_assumed)
            raise FileError("unknown-header", detail)


def _is_whole_row(record: _Sampled, table: Table) -> bool:
    typed = [looks_typed(*pair) for pair in zip(table.columns, record.cells, strict=False)]
    return bool(_fitting([record], len(table.columns))) and False not in typed


def _unknown_header(record: _Sampled, delimiter: str, table: Table, *, is_assumed: bool) -> str:
    name = DELIMITER_NAMES[delimiter]
    separated = (
        f"{assumed_delimiter(name, len(table.columns))}."
        if is_assumed
        else f"Cells were taken to be separated by {name!r}."
    )
    return (
        f"Line {record.line} is neither a header nor a row of {table.name}: "
        f"{_shown(record.cells)}. {_wanted(table)}. Name them in the header; or say what its "
        "labels mean, by columns=LABEL:COLUMN,LABEL:COLUMN; or, if that line is a row, send "
        f"header=absent. {separated}"
    )


def _with_header(
    reading: _Reading, place: int, table: Table, labels: LabelMap, first_line: int
) -> Layout:
    header, above = reading.records[place], reading.records[:place]
    if header.split.error is not None:
        detail = f"{_header_subject(header)} cannot be read: {header.split.error.message}."
        raise FileError(header.split.error.code, detail)
    for record in above:
        if _is_whole_row(record, table):
            detail = (
                f"Line {header.line} is a header, and line {record.line} above it could be a row: "
                f"{_shown(record.cells)}. Put the header first, or take it out and send "
                "header=absent."
            )
            raise FileError("unknown-header", detail)
    columns, blanks = _header_columns(header, table, labels)
    further = _row_width(reading.records[place + 1 :], len(columns)) - len(columns)
    return Layout(
        reading.delimiter,
        (*columns, *[None] * further),
        head_lines=header.line - first_line + header.split.lines,
        labels=tuple(cell.strip() for cell in header.cells),
        blanks=blanks + further,
        warnings=tuple(_passed_over(record, header.line) for record in above),
    )


def _passed_over(record: _Sampled, header_line: int) -> UploadWarning:
    message = f"{_shown(record.cells)} was skipped: the header is on line {header_line}"
    return UploadWarning("preamble", record.line, message)


class RepeatedHeader:
    """Recognises a later record that repeats the header, as where files were concatenated.

    `key` is the column in which such a record differs from a row: all keys are integers.
    """

    def __init__(self, layout: Layout, table: Table, options: CsvOptions) -> None:
        self.key = table.key
        self._columns = [column for column in layout.columns if column]
        self._labels = LabelMap(table, options.columns)
        self._is_row = options.header == "absent"

    def is_one(self, line: int, cells: Sequence[str]) -> bool:
        """Whether the record on `line` with these cells, of the table's columns, is no row.

        Raises FileError where it names the columns in another order: the rows after it would get
        wrong values.
        """
        if not self._labels.count(cells):
            return False
        found = [self._labels.column(cell) for cell in cells]
        if found == self._columns:
            return not self._is_row
        if set(found) != set(self._columns):
            return False
        raise FileError(
            "incorrect-label",
            f"Line {line} is a header in another order: {_shown(cells)}. Until there the columns "
            f"were {', '.join(self._columns)}. Send what follows it as a file of its own.",
        )


def _header_columns(
    header: _Sampled, table: Table, labels: LabelMap
) -> tuple[tuple[str | None, ...], int]:
    """The column in each place of the header, and how many places at its end have no label."""
    cells, subject = header.cells, _header_subject(header)
    width = len(cells)
    while is_blank(cells[width - 1]):
        width -= 1
    # A data frame's index comes first and has no label.
    first = 1 if is_blank(cells[0]) else 0
    found = [labels.column(cell) for cell in cells[first:width]]
    wanted = _wanted(table)
    if blank := [place for place in range(first, width) if is_blank(cells[place])]:
        detail = f"{subject} has no label for column {blank[0] + 1}. {wanted}."
        raise FileError("blank-label", detail)
    counts = Counter(column for column in found if column)
    if repeated := [column for column, count in counts.items() if count > 1]:
        detail = f"{subject} names a column more than once: {', '.join(repeated)}. {wanted}."
        raise FileError("duplicate-label", detail)
    if unknown := [cells[first + place] for place, column in enumerate(found) if column is None]:
        detail = (
            f"{subject} has unknown columns: {_shown(unknown)}. {wanted}; further ones are "
            "ignored if their labels begin with _, or if columns= gives them no column: "
            f"columns={unknown[0].strip()}:"
        )
        raise FileError("extra-label", detail)
    if missing := [name for name in table.column_names if name not in counts]:
        raise FileError("missing-label", f"{subject} lacks {', '.join(missing)}. {wanted}.")
    ignored = [None] * (len(cells) - width)
    return (*[None] * first, *[column or None for column in found], *ignored), len(ignored)


def _header_subject(header: _Sampled) -> str:
    return "The header" if header.line == 1 else f"The header, on line {header.line},"


def _wanted(table: Table) -> str:
    return f"The columns of {table.name} are {', '.join(table.column_names)}"


def _shown(cells: Sequence[str]) -> str:
    texts = [shown(cell.strip()) for cell in cells[:_SHOWN_CELLS]]
    return ", ".join(texts + ["…"] * (len(cells) > _SHOWN_CELLS))
