"""Integers: ASCII digits with an optional sign, within the declared range."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.checking.cells import CellChecker, CellProblem, valid_where
from dbuploader.columns import column_type
from dbuploader.csvfile.labels import shown
from muster.tables import Column

_INTEGER = re.compile(r"[+-]?[0-9]+")
# int() is slow on long texts and refuses those of more than 4300 digits.
_MOST_DIGITS = 18
_CANONICAL = rf"^(?:0|[1-9][0-9]{{0,{_MOST_DIGITS - 1}}})$"


class IntegerChecker(CellChecker):
    """Checks the cells of an integer column that declares its range."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self._type = column_type(column)
        self._minimum = int(column.minimum) if column.minimum is not None else -(10**_MOST_DIGITS)
        self._maximum = int(column.maximum) if column.maximum is not None else 10**_MOST_DIGITS

    def _parse(self, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            message = f"{shown(text)} is not an integer: write digits only, such as 42"
            raise CellProblem("type-error", message)
        digits = text.lstrip("+-0") or "0"
        if len(digits) <= _MOST_DIGITS:
            value = -int(digits) if text.startswith("-") else int(digits)
            if self._minimum <= value <= self._maximum:
                return value
        message = (
            f"{shown(text)} is out of range: write a number from {self._minimum} to {self._maximum}"
        )
        raise CellProblem("constraint-error", message)

    def canonical(self, texts: pa.StringArray) -> pa.Array:
        """Of ASCII digits without a sign or leading zeros, within the range."""
        digits = pc.match_substring_regex(texts, _CANONICAL)
        values = valid_where(digits, texts).cast(pa.int64())
        inside = pc.and_(
            pc.greater_equal(values, self._minimum), pc.less_equal(values, self._maximum)
        )
        return valid_where(pc.fill_null(inside, False), values).cast(self._type)
