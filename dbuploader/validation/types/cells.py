"""What the checks of all column types have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.arrow import PlainValue, column_type, to_plain_value
from dbuploader.csvfile.model import is_blank, shown
from dbuploader.workbooks.cells import UNREADABLE
from muster.contracts.error_codes import RowErrorCode
from muster.contracts.rejects import CellError
from muster.contracts.tables import Column

Value = int | str | datetime
"""A checked cell; a datetime is in UTC and has no tzinfo."""

_BLANKS = " \t\n\r\x0b\x0c"


class CellProblem(Exception):
    """What is wrong with one cell: a Frictionless code, and a message that says what to do."""

    def __init__(self, code: RowErrorCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def _unreadable(text: str) -> str:
    if text.startswith("#"):
        return f"the cell shows the error {text}: correct its formula, or write the value itself"
    return f"{shown(text)} is a time or a date that means no certain day: write it as text"


class CellChecker(ABC):
    """The rules of one column, whose every cell needs a value."""

    def __init__(self, column: Column) -> None:
        self._name = column.name
        self._type = column_type(column)

    def check(self, text: str) -> Value:
        """The value of a cell; raises CellProblem."""
        trimmed = text.strip(_BLANKS)
        if trimmed.startswith(UNREADABLE):
            raise CellProblem("type-error", _unreadable(trimmed.removeprefix(UNREADABLE)))
        if is_blank(trimmed):
            what = f"{shown(trimmed)} is blank" if trimmed else "the cell is blank"
            raise CellProblem("constraint-error", f"{what}: {self._name} is required")
        return self._parse(trimmed)

    def check_cell(self, text: str) -> Value | CellError:
        """The value of a cell, or what is wrong with it."""
        try:
            return self.check(text)
        except CellProblem as problem:
            return CellError(problem.code, self._name, problem.message)

    def check_column(self, texts: pa.StringArray) -> pa.Array:
        """The values of many cells, as a batch of rows has them (`dbuploader.arrow`).

        A cell that `check` rejects is null.
        """
        values = self.parse_column(texts)
        if values.null_count:
            values = _completed(values, texts, lambda odd: self.parse_column(self.usual(odd)))
        return _completed(values, texts, self.check_each) if values.null_count else values

    def check_each(self, texts: pa.StringArray) -> pa.Array:
        """As `check_column`, which is slower with few cells and faster with many."""
        return pa.array([self._plain_value(text) for text in texts.to_pylist()], self._type)

    def _plain_value(self, text: str) -> PlainValue | None:
        try:
            return to_plain_value(self.check(text))
        except CellProblem:
            return None

    def usual(self, texts: pa.StringArray) -> pa.StringArray:
        """The texts, with other common forms rewritten as `parse_column` takes them.

        What `check` says of each stays the same.
        """
        return texts

    @abstractmethod
    def parse_column(self, texts: pa.StringArray) -> pa.Array:
        """As `check_column`, but with null also for each good text that is out of the ordinary."""

    @abstractmethod
    def _parse(self, text: str) -> Value:
        """The value of `text`, which is trimmed and not blank; raises CellProblem."""


class Choices:
    """The values that a column's `enum` declares; with none, any value is one."""

    def __init__(self, values: Sequence[int | str], type_: pa.DataType) -> None:
        self._values = values
        self._set = pa.array(values, type_)

    def check(self, value: int | str) -> None:
        """Return if it is one of the choices; raises CellProblem."""
        if self._values and value not in self._values:
            choices = ", ".join(map(str, self._values))
            message = f"{shown(str(value))} is not one of the values: write one of {choices}"
            raise CellProblem("constraint-error", message)

    def keep(self, values: pa.Array) -> pa.Array:
        """The values, with null for each that is none of the choices."""
        if not self._values:
            return values
        return valid_where(pc.is_in(values, value_set=self._set), values)


def _completed(
    values: pa.Array, texts: pa.StringArray, find: Callable[[pa.StringArray], pa.Array]
) -> pa.Array:
    """The values, with what `find` finds of the texts of those that are null."""
    missing = pc.is_null(values)
    return pc.replace_with_mask(values, missing, find(texts.filter(missing)))


def valid_where(valid: pa.BooleanArray, array: pa.Array) -> pa.Array:
    """`array` with nulls where `valid` does not hold."""
    return array if valid.false_count == 0 else pc.if_else(valid, array, None)
