"""What the checks of all column types have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from muster.rejects import CellError
from muster.tables import Column

Value = int | str | datetime
"""A checked cell; a datetime is in UTC and has no tzinfo."""

_BLANKS = " \t\n\r\x0b\x0c"
_SHOWN = 40


class CellProblem(Exception):
    """What is wrong with one cell: a Frictionless code, and a message that says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class CellChecker(ABC):
    """The rules of one column, whose every cell needs a value."""

    def __init__(self, column: Column) -> None:
        self._name = column.name

    def check(self, text: str) -> Value:
        """The value of a cell; raises CellProblem."""
        trimmed = text.strip(_BLANKS)
        if not trimmed:
            raise CellProblem("constraint-error", f"the cell is blank: {self._name} is required")
        return self._parse(trimmed)

    def check_all(self, texts: Sequence[str]) -> Sequence[Value | CellError]:
        """For each cell its value or what is wrong with it: as `check` has it, but much faster."""
        values = self._parse_plain(texts)
        return [self._value_or_error(text) for text in texts] if values is None else values

    def _value_or_error(self, text: str) -> Value | CellError:
        try:
            return self.check(text)
        except CellProblem as problem:
            return CellError(problem.code, self._name, problem.message)

    @abstractmethod
    def _parse(self, text: str) -> Value:
        """The value of `text`, which is trimmed and not blank; raises CellProblem."""

    @abstractmethod
    def _parse_plain(self, texts: Sequence[str]) -> Sequence[Value] | None:
        """The values of one or more untrimmed texts, found without a loop over them in Python.

        None when any is out of the ordinary, be it bad or not: then each is looked at alone.
        """


def shown(text: str) -> str:
    r"""`text` in quotes for a message: shortened, with `\` escapes for what is not printable."""
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return '"' + "".join(map(_visible, short)) + '"'


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
