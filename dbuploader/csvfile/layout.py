"""What the beginning of a file tells about the whole of it: the delimiter and the header."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dbuploader.csvfile.lines import Lines
from dbuploader.csvfile.options import CsvOptions, FileError, delimiter_candidates
from dbuploader.csvfile.splitting import Split, Splitter
from muster.tables import Table

_SAMPLE_RECORDS = 100
_BLANKS = " \t\n\r\x0b\x0c"
_BEGINS_AS_DATA = re.compile(r"[+-]?[0-9]")


@dataclass(frozen=True)
class Layout:
    """How the records of a file are laid out.

    `header_lines` is how many physical lines the header takes, 0 when there is none. `columns`
    names the table's column in each place, None where the place is to be ignored.
    """

    delimiter: str
    header_lines: int
    columns: tuple[str | None, ...]


def find_layout(sample: bytes, table: Table, options: CsvOptions) -> Layout:
    """The layout of a file that begins with `sample`: whole lines, the first of them not empty.

    Raises FileError when the header names not exactly the columns of `table`.
    """
    names = table.column_names
    splits = {
        delimiter: _split_sample(sample, delimiter, len(names))
        for delimiter in delimiter_candidates(options)
    }
    labels = {delimiter: _labels(found[0], delimiter) for delimiter, found in splits.items()}
    scores = {delimiter: _header_score(found, names) for delimiter, found in labels.items()}
    delimiter = max(scores, key=lambda candidate: scores[candidate])
    named = scores[delimiter] > 0 and options.header != "absent"
    if not named:
        delimiter = max(splits, key=lambda candidate: _fitting(splits[candidate], len(names)))
    if not named and options.header != "present":
        return Layout(delimiter, header_lines=0, columns=names)
    header = splits[delimiter][0]
    if header.error is not None:
        detail = f"The header cannot be read: {header.error.message}."
        raise FileError(header.error.code, detail)
    return Layout(delimiter, header.lines, _header_columns(labels[delimiter], table))


def _split_sample(sample: bytes, delimiter: str, width: int) -> list[Split]:
    splitter = Splitter(delimiter, width)
    lines = Lines(iter([sample]))

    def records() -> Iterator[Split]:
        while lines.fill():
            line = lines.take()
            if line.rstrip(b"\r\n"):
                yield splitter.split(line, lines)

    return list(islice(records(), _SAMPLE_RECORDS))


def _labels(split: Split, delimiter: str) -> list[str]:
    """The cells of the first record as labels; a guess at them where it cannot be split."""
    if split.error is not None:
        return [cell.strip(_BLANKS + '"').casefold() for cell in split.text.split(delimiter)]
    return [cell.strip(_BLANKS).casefold() for cell in split.cells]


def _header_score(labels: Sequence[str], names: Sequence[str]) -> int:
    """How many columns the labels name; 0 when the record is not a header.

    Labels with nothing but names among them are one, and so are labels with any name among them
    when none could be a number or a date.
    """
    named = [label for label in labels if not label.startswith("_")]
    known = sum(label in names for label in named)
    if known < len(named) and any(_BEGINS_AS_DATA.match(label) for label in labels):
        return 0
    return known


def _fitting(splits: Sequence[Split], width: int) -> int:
    return sum(len(split.cells) == width for split in splits)


def _header_columns(labels: Sequence[str], table: Table) -> tuple[str | None, ...]:
    named = [label for label in labels if not label.startswith("_")]
    names = table.column_names
    wanted = f"The columns of {table.name} are {', '.join(names)}"
    if "" in named:
        place = labels.index("") + 1
        raise FileError("blank-label", f"Column {place} of the header has no name. {wanted}.")
    if repeated := [label for label, count in Counter(named).items() if count > 1]:
        detail = f"The header names a column more than once: {', '.join(repeated)}. {wanted}."
        raise FileError("duplicate-label", detail)
    if unknown := [label for label in named if label not in names]:
        detail = (
            f"The header has unknown columns: {', '.join(unknown)}. {wanted}; "
            "further ones are ignored if their names begin with _."
        )
        raise FileError("extra-label", detail)
    if missing := [name for name in names if name not in named]:
        raise FileError("missing-label", f"The header lacks {', '.join(missing)}. {wanted}.")
    return tuple(label if label in names else None for label in labels)
