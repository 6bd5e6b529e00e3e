"""Strings: of a limited length, without control characters, and otherwise as they come."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.model import shown
from dbuploader.validation.types.cells import CellChecker, CellProblem, Choices, valid_where
from muster.contracts.tables import DeclarationRefused, StringColumn

# The Unicode category Cc, which is fixed: https://www.unicode.org/policies/stability_policy.html
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# In the syntax of RE2: \x20 is the blank. What begins with something to be seen is not blank.
_ANY, _EDGE = r"[^\x00-\x1f\x7f-\x{9f}]", r"[^\x00-\x20\x7f-\x{9f}]"
_SEEN = r"[^\x00-\x20\x7f-\x{9f}\p{Z}\p{Cf}]"
_CANONICAL = rf"^{_SEEN}(?:{_ANY}*{_EDGE})?$"


class StringChecker(CellChecker):
    """Checks the cells of a string column, whose lengths count in characters.

    A pattern is RE2's, for one cell as for many: the time that it takes grows with the text alone,
    whatever the pattern. Raises DeclarationRefused for one that RE2 does not take.
    """

    def __init__(self, column: StringColumn) -> None:
        super().__init__(column)
        self._least, self._most = column.min_length, column.max_length
        self._pattern = column.pattern
        self._choices = Choices(column.enum, pa.string())
        if column.pattern is not None:
            try:
                self._matches(pa.array([""]))
            except pa.ArrowInvalid as error:
                raise DeclarationRefused(f"The pattern of {column.name}: {error}") from error

    def _parse(self, text: str) -> str:
        if len(text) > self._most:
            message = (
                f"{shown(text)} has {len(text)} characters: shorten it to {self._most} or fewer"
            )
            raise CellProblem("constraint-error", message)
        if len(text) < self._least:
            message = f"{shown(text)} has {len(text)} characters: write {self._least} or more"
            raise CellProblem("constraint-error", message)
        if _CONTROL.search(text):
            message = f"{shown(text)} holds a control character or a line end: take it out"
            raise CellProblem("constraint-error", message)
        if self._pattern is not None and not self._matches(pa.array([text]))[0].as_py():
            message = f"{shown(text)} does not match {self._pattern}: write it in that form"
            raise CellProblem("constraint-error", message)
        self._choices.check(text)
        return text

    def parse_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Without white space around it, and as it is to be stored."""
        lengths = pc.utf8_length(texts)
        fine = pc.and_(
            pc.match_substring_regex(texts, _CANONICAL), pc.less_equal(lengths, self._most)
        )
        if self._least > 1:
            fine = pc.and_(fine, pc.greater_equal(lengths, self._least))
        if self._pattern is not None:
            fine = pc.and_(fine, self._matches(texts))
        return self._choices.keep(valid_where(fine, texts))

    def _matches(self, texts: pa.StringArray) -> pa.BooleanArray:
        return pc.match_substring_regex(texts, rf"^(?:{self._pattern})$")
