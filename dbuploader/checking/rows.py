"""Checking the records of a file against its table, column by column."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple

from dbuploader.checking.cells import CellChecker, Value
from dbuploader.checking.datetimes import DatetimeChecker
from dbuploader.checking.integers import IntegerChecker
from dbuploader.checking.strings import StringChecker
from dbuploader.csvfile import Record
from muster.rejects import CellError, Reject
from muster.tables import Column, ColumnType, Table

Values = tuple[Value, ...]

# Enough to make what a batch costs small; few enough to hold though each record be at its limit.
_BATCH = 128
_CHECKERS: dict[ColumnType, type[CellChecker]] = {
    "integer": IntegerChecker,
    "string": StringChecker,
    "datetime": DatetimeChecker,
}


class Row(NamedTuple):
    """A record without an error.

    `line`, `row` and `cells` are those of its Record, for a later reject; `values` are the checked
    values of the table's columns in their declared order.
    """

    line: int
    row: int
    values: Values
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlawedRow(Reject):
    """The reject of a record with bad cells; `values` are those of the others, None for the bad."""

    values: tuple[Value | None, ...]


def parse_cell(column: Column, text: str) -> Value:
    """The value of one cell, by the rules of docs/csv.md; raises CellProblem."""
    return _checker(column).check(text)


class RowChecker:
    """Checks records whose cells are in the order of `labels`: all columns of `table`."""

    def __init__(self, table: Table, labels: Sequence[str]) -> None:
        self._columns = [(labels.index(column.name), _checker(column)) for column in table.columns]

    def check(self, record: Record) -> Values | Reject:
        """The record's values in the declared order of the columns, or its reject."""
        (result,) = self._check_batch([record])
        return result.values if isinstance(result, Row) else result

    def check_all(self, records: Iterable[Record]) -> Iterator[Row | Reject]:
        """Each record's Row or Reject, in the order of the records; reads some of them ahead.

        The rejects of records that have all their cells are FlawedRows.
        """
        iterator = iter(records)
        while batch := list(islice(iterator, _BATCH)):
            yield from self._check_batch(batch)

    def _check_batch(self, batch: Sequence[Record]) -> Iterator[Row | Reject]:
        rows = self._check_cells([each.cells for each in batch if each.cells and not each.errors])
        for line, row, cells, raw, errors in batch:
            if cells is None or errors:
                yield Reject(line, row, cells, raw, errors)
                continue
            found = next(rows)
            if isinstance(found, tuple):
                yield Row(line, row, found, cells)
            else:
                yield _flawed_row(line, row, cells, found)

    def _check_cells(
        self, rows: Sequence[tuple[str, ...]]
    ) -> Iterator[Values | list[Value | CellError]]:
        """For each row its values, in a list if any of them is an error; in the declared order."""
        texts = list(zip(*rows, strict=True))
        columns = [checker.check_all(texts[place]) for place, checker in self._columns if texts]
        found = zip(*columns, strict=True)
        if any(CellError in map(type, column) for column in columns):
            return (
                list(results) if CellError in map(type, results) else results for results in found
            )
        return found


def _flawed_row(
    line: int, row: int, cells: tuple[str, ...], results: Sequence[Value | CellError]
) -> FlawedRow:
    errors = tuple([result for result in results if isinstance(result, CellError)])
    values = tuple([None if isinstance(result, CellError) else result for result in results])
    return FlawedRow(line, row, cells, None, errors, values)


@cache
def _checker(column: Column) -> CellChecker:
    return _CHECKERS[column.type](column)
