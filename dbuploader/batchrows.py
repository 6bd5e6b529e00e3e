"""The rows of a batch: checked one by one and against each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from dbuploader.checking import check_object
from dbuploader.columns import PlainRow, to_plain
from dbuploader.keys import References
from muster.contracts.rejects import CellError
from muster.contracts.tables import Table

NumberedRows = Sequence[tuple[int, PlainRow]]
"""Rows with their number in the batch, from 1."""


@dataclass(frozen=True)
class RowError:
    """What is wrong with row number `row` of a batch."""

    row: int
    column: str | None
    code: str
    message: str


class BatchRejected(Exception):
    """Some rows are wrong, so none was written."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = sorted(errors, key=lambda error: error.row)


def choose_errors(errors: Sequence[RowError], most: int) -> list[RowError]:
    """At most so many, in their order: of each row the first comes before any other's second."""
    ranks: Counter[int] = Counter()
    ranked: list[tuple[int, int]] = []
    for place, error in enumerate(errors):
        ranked.append((ranks[error.row], place))
        ranks[error.row] += 1
    return [errors[place] for place in sorted(place for _, place in sorted(ranked)[:most])]


def check_rows(table: Table, rows: Sequence[object]) -> tuple[NumberedRows, list[RowError]]:
    """The rows whose values are right, and what is wrong with the others."""
    good: list[tuple[int, PlainRow]] = []
    errors: list[RowError] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            message = f"row {number} is not an object: write the columns' names and values"
            errors.append(RowError(number, None, "type-error", message))
            continue
        checked = check_object(table, number, row)
        if isinstance(checked, list):
            errors += _numbered(number, checked)
        else:
            good.append((number, to_plain(checked)))
    return good, errors


def find_orphans(connection: Connection, table: Table, rows: NumberedRows) -> list[RowError]:
    """What is wrong with the rows that refer to a row that is not there."""
    columns = {
        foreign.column: table.column_names.index(foreign.column) for foreign in table.foreign_keys
    }
    keys = {column: {int(row[place]) for _, row in rows} for column, place in columns.items()}
    return [
        RowError(number, bad.column, error.code, error.message)
        for bad in References(table).missing(connection, keys)
        for number, row in rows
        if (key := int(row[columns[bad.column]])) in bad.keys
        for error in [bad.error(key)]
    ]


def find_repeats(table: Table, rows: NumberedRows) -> tuple[list[PlainRow], list[RowError]]:
    """The rows with distinct keys, and those that give a key other values than before."""
    place = table.column_names.index(table.key)
    first: dict[int | str, tuple[int, PlainRow]] = {}
    errors = []
    for number, row in rows:
        owner, owned = first.setdefault(row[place], (number, row))
        if owned != row:
            message = f"row {owner} has the same {table.key} with other values: keep one of the two"
            errors.append(RowError(number, table.key, "primary-key", message))
    return [row for _, row in first.values()], errors


def _numbered(number: int, errors: Sequence[CellError]) -> list[RowError]:
    return [RowError(number, error.column, error.code, error.message) for error in errors]
