"""Splitting lines into columns, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import csv


@dataclass(frozen=True)
class SplitLines:
    """Lines as columns of text.

    `cells` has a row for each line with the right number of cells. `others` are the places, from 0,
    and the texts of the lines that have another number, empty lines among them.
    """

    cells: pa.RecordBatch
    others: list[tuple[int, str]]


class ColumnSplitter:
    """Splits lines whose cells `delimiter` separates.

    `columns` names the table's column in each place of a line, None where it is to be ignored. Of
    the last `blanks` places the cells come too, under the numbers of the places.
    """

    def __init__(self, delimiter: str, columns: Sequence[str | None], blanks: int = 0) -> None:
        first_blank = len(columns) - blanks
        names = [str(place) if place >= first_blank else name for place, name in enumerate(columns)]
        places = [str(place) for place in range(len(columns))]
        # The first line names the columns, and no line of the file can be taken for a beginning,
        # where a byte order mark would be passed over.
        self._head = delimiter.join(places).encode() + b"\n"
        self._delimiter = delimiter
        self._wanted = [place for place, name in zip(places, names, strict=True) if name]
        self._schema = pa.schema([(name, pa.string()) for name in names if name])
        self._convert = csv.ConvertOptions(
            # UTF-8 was made sure of when odd lines were looked for.
            check_utf8=False,
            column_types={place: pa.string() for place in self._wanted},
            include_columns=self._wanted,
            strings_can_be_null=False,
        )

    def split_quoted(self, pieces: Sequence[bytes]) -> SplitLines:
        """The lines of all `pieces`: what QuotedLines finds."""
        return self._split_filled(b"".join(pieces), '"')

    def split(self, pieces: Sequence[bytes], count: int) -> SplitLines:
        """The `count` lines of all `pieces`: UTF-8, without a quote, none longer than a record."""
        data = b"".join(pieces)
        found = self._split_filled(data)
        if len(found.cells) + len(found.others) == count:
            return found
        lines = data.splitlines()
        filled = [place for place, line in enumerate(lines) if line]
        found = self._split_filled(b"\n".join([lines[place] for place in filled]))
        others = [(filled[place], text) for place, text in found.others]
        empty = [(place, "") for place, line in enumerate(lines) if not line]
        return SplitLines(found.cells, others + empty)

    def _split_filled(self, data: bytes, quote: str | bool = False) -> SplitLines:
        """The lines of `data`, empty ones passed over."""
        named = self._head + data
        others: list[tuple[int, str]] = []

        def pass_over(row: csv.InvalidRow) -> str:
            # The line of names is the first, by a count from 1.
            others.append((row.number - 2, row.text))
            return "skip"

        table = csv.read_csv(
            pa.py_buffer(named),
            csv.ReadOptions(use_threads=False, block_size=len(named)),
            csv.ParseOptions(
                delimiter=self._delimiter,
                quote_char=quote,
                ignore_empty_lines=True,
                invalid_row_handler=pass_over,
            ),
            self._convert,
        )
        arrays = [column.combine_chunks() for column in table.columns]
        return SplitLines(pa.RecordBatch.from_arrays(arrays, schema=self._schema), others)
