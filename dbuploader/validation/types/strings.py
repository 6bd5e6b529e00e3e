"""Strings: of a limited length, without control characters, and otherwise as they come."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.model import shown
from dbuploader.validation.types.cells import CellChecker, CellProblem, valid_where
from muster.contracts.tables import Column

# The Unicode category Cc, which is fixed: https://www.unicode.org/policies/stability_policy.html
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# In the syntax of RE2: \x20 is the blank. What begins with something to be seen is not blank.
_ANY, _EDGE = r"[^\x00-\x1f\x7f-\x{9f}]", r"[^\x00-\x20\x7f-\x{9f}]"
_SEEN = r"[^\x00-\x20\x7f-\x{9f}\p{Z}\p{Cf}]"
_CANONICAL = rf"^{_SEEN}(?:{_ANY}*{_EDGE})?$"


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

    def parse_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Without white space around it, and as it is to be stored."""
        fine = pc.match_substring_regex(texts, _CANONICAL)
        if self._most is not None:
            fine = pc.and_(fine, pc.less_equal(pc.utf8_length(texts), self._most))
        return valid_where(fine, texts)
