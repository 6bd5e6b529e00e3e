"""Integers: ASCII digits with an optional sign, within the declared range."""

import re
from collections.abc import Sequence

from dbuploader.checking.cells import CellChecker, CellProblem, shown
from muster.tables import Column

_INTEGER = re.compile(r"[+-]?[0-9]+")
# int() is slow on long texts and refuses those of more than 4300 digits.
_MOST_DIGITS = 18


class IntegerChecker(CellChecker):
    """Checks the cells of an integer column that declares its range."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
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

    def _parse_plain(self, texts: Sequence[str]) -> list[int] | None:
        digits = "".join(texts)
        if not (digits.isascii() and digits.isdigit()):
            return None
        if "" in texts or max(map(len, texts)) > _MOST_DIGITS:
            return None
        values = list(map(int, texts))
        return values if self._minimum <= min(values) and max(values) <= self._maximum else None
