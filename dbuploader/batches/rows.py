"""The rows of a batch: JSON objects, checked one by one and against each other."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from dbuploader.arrow import PlainRow, to_plain
from dbuploader.csvfile.model import shown
from dbuploader.validation.foreign_keys import ForeignKeyChecker
from dbuploader.validation.rows import Values, parse_cell
from dbuploader.validation.types.cells import CellProblem, Value
from muster.contracts.rejects import CellError
from muster.contracts.tables import Column, Table
from muster.contracts.uploads import DateOrder

NumberedRows = Sequence[tuple[int, PlainRow]]
"""Rows with their number in the batch, from 1."""

_UNKNOWN_NAMED = 10
_LONGEST_NAME = 100


@dataclass(frozen=True)
class BatchRowError:
    """What is wrong with row number `row` of a batch."""

    row: int
    column: str | None
    code: str
    message: str


class BatchRejected(Exception):
    """Some rows are wrong, so none was written."""

    def __init__(self, errors: Sequence[BatchRowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = sorted(errors, key=lambda error: error.row)


def choose_errors(errors: Sequence[BatchRowError], most: int) -> list[BatchRowError]:
    """At most `most` of them, in order; every row's first error goes before any row's second."""
    ranks: Counter[int] = Counter()
    ranked: list[tuple[int, int]] = []
    for place, error in enumerate(errors):
        ranked.append((ranks[error.row], place))
        ranks[error.row] += 1
    return [errors[place] for place in sorted(place for _, place in sorted(ranked)[:most])]


def check_rows(
    table: Table, rows: Sequence[object], dates: DateOrder = "iso"
) -> tuple[NumberedRows, list[BatchRowError]]:
    """The rows whose values are right, and what is wrong with the others."""
    good: list[tuple[int, PlainRow]] = []
    errors: list[BatchRowError] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            message = f"row {number} is not an object: write the columns' names and values"
            errors.append(BatchRowError(number, None, "type-error", message))
            continue
        checked = check_object(table, number, row, dates)
        if isinstance(checked, list):
            errors += _numbered(number, checked)
        else:
            good.append((number, to_plain(checked)))
    return good, errors


def _numbered(number: int, errors: Sequence[CellError]) -> list[BatchRowError]:
    return [BatchRowError(number, error.column, error.code, error.message) for error in errors]


def check_object(
    table: Table, row_number: int, fields: Mapping[str, object], dates: DateOrder = "iso"
) -> Values | list[CellError]:
    """The values of a row in the declared order of the columns, or all that is wrong with it.

    A string is checked as a CSV cell with that text is; an integer column takes JSON integers too,
    and null counts as blank. Of the names that are not columns the first ten are reported, cut to a
    hundred characters, and the number of the others. `row_number`, from 1, is for the messages.
    """
    values: list[Value] = []
    errors: list[CellError] = []
    for column in table.columns:
        try:
            if column.name not in fields:
                raise CellProblem("missing-cell", f"row {row_number} lacks {column.name}: add it")
            values.append(_check_field(column, fields[column.name], dates))
        except CellProblem as problem:
            errors.append(CellError(problem.code, column.name, problem.message))
    unknown = [name for name in fields if name not in table.column_names]
    for name in unknown[:_UNKNOWN_NAMED]:
        message = f"row {row_number} has {shown(name)}, which is no column: take it out"
        errors.append(CellError("extra-cell", _encodable(name[:_LONGEST_NAME]), message))
    if more := len(unknown[_UNKNOWN_NAMED:]):
        message = f"row {row_number} has {more} further names that are no columns: take them out"
        errors.append(CellError("extra-cell", None, message))
    return errors or tuple(values)


def _check_field(column: Column, value: object, dates: DateOrder) -> Value:
    if value is None:
        return parse_cell(column, "")
    if isinstance(value, str):
        if _encodable(value) != value:
            message = f"{shown(value)} holds half a surrogate pair: take it out"
            raise CellProblem("encoding-error", message)
        return parse_cell(column, value, dates)
    # A bool is an int to isinstance.
    if column.type == "integer" and type(value) is int:
        return parse_cell(column, str(value))
    wanted = "an integer: write 42" if column.type == "integer" else 'a string: write "text"'
    raise CellProblem("type-error", f"{shown(json.dumps(value))} is not {wanted}")


def _encodable(text: str) -> str:
    """The text with an escape for each lone surrogate: JSON lets them through, UTF-8 does not."""
    return text.encode("utf-8", "backslashreplace").decode()


def find_orphans(connection: Connection, table: Table, rows: NumberedRows) -> list[BatchRowError]:
    """What is wrong with the rows that refer to a row that is not there."""
    columns = {
        foreign.column: table.column_names.index(foreign.column) for foreign in table.foreign_keys
    }
    keys = {column: {int(row[place]) for _, row in rows} for column, place in columns.items()}
    return [
        BatchRowError(number, bad.column, error.code, error.message)
        for bad in ForeignKeyChecker(table).missing(connection, keys)
        for number, row in rows
        if (key := int(row[columns[bad.column]])) in bad.keys
        for error in [bad.error(key)]
    ]


def find_repeats(table: Table, rows: NumberedRows) -> tuple[list[PlainRow], list[BatchRowError]]:
    """The rows with distinct keys, and those that give a key other values than before."""
    place = table.column_names.index(table.key)
    first: dict[int | str, tuple[int, PlainRow]] = {}
    errors = []
    for number, row in rows:
        owner, owned = first.setdefault(row[place], (number, row))
        if owned != row:
            message = f"row {owner} has the same {table.key} with other values: keep one of the two"
            errors.append(BatchRowError(number, table.key, "primary-key", message))
    return [row for _, row in first.values()], errors
