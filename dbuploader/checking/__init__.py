"""Checking rows against their table's declaration, by the rules of docs/csv.md.

Keys and foreign keys are not looked at here: what they hold is known to the database only.
"""

from dbuploader.checking.cells import CellProblem, Value
from dbuploader.checking.columns import CheckedChunk, ColumnChecker
from dbuploader.checking.objects import check_object
from dbuploader.checking.rows import FlawedRow, Row, RowChecker, Values, parse_cell
from dbuploader.checking.warnings import TextDoubts

__all__ = [
    "CellProblem",
    "CheckedChunk",
    "ColumnChecker",
    "FlawedRow",
    "Row",
    "RowChecker",
    "TextDoubts",
    "Value",
    "Values",
    "check_object",
    "parse_cell",
]
