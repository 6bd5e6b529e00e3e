"""Checking a row that comes as a JSON object."""

import json
from collections.abc import Mapping

from dbuploader.checking.cells import CellProblem, Value
from dbuploader.checking.rows import Values, parse_cell
from dbuploader.csvfile.labels import shown
from muster.contracts.rejects import CellError
from muster.contracts.tables import Column, Table

_UNKNOWN_NAMED = 10
_LONGEST_NAME = 100


def check_object(
    table: Table, row_number: int, fields: Mapping[str, object]
) -> Values | list[CellError]:
    """The values of a row in the declared order of the columns, or all that is wrong with it.

    A string is checked as a CSV cell with that text is; an integer column takes JSON integers too,
    and null counts as blank. Of the names that are no columns the first are told, cut to
    a hundred characters, and how many more. `row_number`, from 1, is for the messages.
    """
    values: list[Value] = []
    errors: list[CellError] = []
    for column in table.columns:
        try:
            if column.name not in fields:
                raise CellProblem("missing-cell", f"row {row_number} lacks {column.name}: add it")
            values.append(_check_field(column, fields[column.name]))
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


def _check_field(column: Column, value: object) -> Value:
    if value is None:
        return parse_cell(column, "")
    if isinstance(value, str):
        if _encodable(value) != value:
            message = f"{shown(value)} holds half a surrogate pair: take it out"
            raise CellProblem("encoding-error", message)
        return parse_cell(column, value)
    # A bool is an int to isinstance.
    if column.type == "integer" and type(value) is int:
        return parse_cell(column, str(value))
    wanted = "an integer: write 42" if column.type == "integer" else 'a string: write "text"'
    raise CellProblem("type-error", f"{shown(json.dumps(value))} is not {wanted}")


def _encodable(text: str) -> str:
    """The text with an escape for each lone surrogate: JSON lets them through, UTF-8 does not."""
    return text.encode("utf-8", "backslashreplace").decode()
