"""Strings: of a limited length, without control characters, and otherwise as they come."""

import re
from collections.abc import Sequence

from dbuploader.checking.cells import CellChecker, CellProblem, shown
from muster.tables import Column

# The Unicode category Cc, which is fixed: https://www.unicode.org/policies/stability_policy.html
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class StringChecker(CellChecker):
    """Checks the cells of a string column, whose length counts in characters."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self._most = column.max_length

    def _parse(self, text: str) -> str:
        if self._most is not None and len(text) > self._most:
            message = (
                f"{shown(text)} has {len(text)} characters: shorten it to {self._most} or fewer"
            )
            raise CellProblem("constraint-error", message)
        if _CONTROL.search(text):
            message = f"{shown(text)} holds a control character or a line end: take it out"
            raise CellProblem("constraint-error", message)
        return text

    def _parse_plain(self, texts: Sequence[str]) -> Sequence[str] | None:
        if _CONTROL.search("".join(texts)):
            return None
        values = [text.strip(" ") for text in texts]
        if "" in values or (self._most is not None and max(map(len, values)) > self._most):
            return None
        return values
