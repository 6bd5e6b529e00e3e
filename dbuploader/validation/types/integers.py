"""Integers: ASCII digits with an optional sign and a fraction of zeros, within a range."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.model import shown
from dbuploader.validation.types.cells import CellChecker, CellProblem, Choices, valid_where
from muster.contracts.tables import IntegerColumn

# Data frames write 12.0 in a column of integers that has a gap.
_INTEGER = re.compile(r"([+-]?)([0-9]++)(?:\.0++)?")
# int() is slow on long texts and refuses those of more than 4300 digits.
_MOST_DIGITS = 18
_CANONICAL = rf"^(?:0|[1-9][0-9]{{0,{_MOST_DIGITS - 1}}})$"


class IntegerChecker(CellChecker):
    """Checks the cells of an integer column that declares its range."""

    def __init__(self, column: IntegerColumn) -> None:
        super().__init__(column)
        self._wanted = (
            f"{column.name} takes the id of a row of {column.parent}, such as 42"
            if column.parent
            else "write digits only, such as 42"
        )
        self._minimum, self._maximum = column.minimum, column.maximum
        self._choices = Choices(column.enum, pa.int64())

    def _parse(self, text: str) -> int:
        match = _INTEGER.fullmatch(text)
        if match is None:
            raise CellProblem("type-error", f"{shown(text)} is not an integer: {self._wanted}")
        sign, digits = match[1], match[2].lstrip("0") or "0"
        if len(digits) <= _MOST_DIGITS:
            value = -int(digits) if sign == "-" else int(digits)
            if self._minimum <= value <= self._maximum:
                self._choices.check(value)
                return value
        message = (
            f"{shown(text)} is out of range: write a number from {self._minimum} to {self._maximum}"
        )
        raise CellProblem("constraint-error", message)

    def usual(self, texts: pa.StringArray) -> pa.StringArray:
        """Without a fraction of zeros."""
        return pc.replace_substring_regex(texts, r"^([0-9]+)\.0+$", r"\1")

    def parse_column(self, texts: pa.StringArray) -> pa.Array:
        """Of ASCII digits without a sign or leading zeros, within the range."""
        digits = pc.match_substring_regex(texts, _CANONICAL)
        values = valid_where(digits, texts).cast(pa.int64())
        inside = pc.and_(
            pc.greater_equal(values, self._minimum), pc.less_equal(values, self._maximum)
        )
        values = valid_where(pc.fill_null(inside, False), values)
        return self._choices.keep(values).cast(self._type)
