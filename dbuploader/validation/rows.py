"""Checking the records of a file against its table, one by one: what is right is defined here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from dbuploader.csvfile.model import Record
from dbuploader.validation.types.cells import CellChecker, Value
from dbuploader.validation.types.datetimes import DatetimeChecker
from dbuploader.validation.types.integers import IntegerChecker
from dbuploader.validation.types.strings import StringChecker
from muster.contracts.rejects import CellError, Reject
from muster.contracts.tables import (
    Column,
    DatetimeColumn,
    IntegerColumn,
    StringColumn,
    Table,
    tables,
)
from muster.contracts.uploads import DateOrder

Values = tuple[Value, ...]

# Enough to make what a batch costs small; few enough to hold though each record be at its limit.
_BATCH = 128


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


def parse_cell(column: Column, text: str, dates: DateOrder = "iso") -> Value:
    """The value of one cell, by the rules of docs/csv.md; raises CellProblem."""
    return checker(column, dates).check(text)


class RowChecker:
    """Checks records whose cells are in the order of `labels`: all columns of `table`."""

    def __init__(self, table: Table, labels: Sequence[str], dates: DateOrder = "iso") -> None:
        self._columns = [
            (labels.index(column.name), checker(column, dates)) for column in table.columns
        ]

    def check(self, record: Record) -> Row | Reject:
        """The record's Row or its reject, which is a FlawedRow if the record has all its cells."""
        line, row, cells, raw, errors = record
        if cells is None or errors:
            return Reject(line, row, cells, raw, errors)
        results = [checker.check_cell(cells[place]) for place, checker in self._columns]
        errors = tuple([result for result in results if isinstance(result, CellError)])
        values = [None if isinstance(result, CellError) else result for result in results]
        if errors:
            return FlawedRow(line, row, cells, None, errors, tuple(values))
        return Row(line, row, tuple([value for value in values if value is not None]), cells)


@cache
def checker(column: Column, dates: DateOrder = "iso") -> CellChecker:
    """What checks the cells of `column`, whose dates are written in that order."""
    match column:
        case IntegerColumn():
            return IntegerChecker(column)
        case StringColumn():
            return StringChecker(column)
        case DatetimeColumn():
            return DatetimeChecker(column, dates)


def check_declarations() -> None:
    """Return if every declared column can be checked; raises DeclarationRefused."""
    for table in tables().values():
        for column in table.columns:
            checker(column)
