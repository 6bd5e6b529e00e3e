"""One record of a CSV file, as it was read and before its cells are checked."""

from typing import NamedTuple

from muster.contracts.rejects import CellError

RECORD_BYTES = 64 * 1024
RECORD_LINES = 100
# Of a reject file: a record's text with its quotes doubled, and what is wrong with it.
STRICT_RECORD_BYTES = 4 * RECORD_BYTES


class Record(NamedTuple):
    """One record.

    `line` is the physical line, from 1, on which it begins; `row` its number, from 1, the header
    not counted. `cells` are its texts, untrimmed, one for each label of the file. A record that
    could not be split into them has `errors`, its text in `raw`, and no cells; one with too few
    has `errors`, and blanks for the cells that it lacks.
    """

    line: int
    row: int
    cells: tuple[str, ...] | None
    raw: str | None
    errors: tuple[CellError, ...]
