"""What the fast way reads at once: many records as columns, and those that have no cells."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from dbuploader.csvfile.record import Record


@dataclass(frozen=True)
class Numbering:
    """The numbers of the records of a chunk.

    `first_line` is its first physical line, `first_row` the number of its first record. `passed`
    are the lines, in their order, on which no record begins.
    """

    first_line: int
    first_row: int
    passed: Sequence[int]

    def row(self, line: int) -> int:
        """The number of the record that begins on `line`; of the next one where none does."""
        return self.first_row + line - self.first_line - bisect_left(self.passed, line)


@dataclass(frozen=True)
class Chunk:
    """Some consecutive records of a file.

    `cells` holds the texts of the records that have all their cells, a column for each label of the
    file, in the order of the file; `lines` the physical line on which each begins. `flawed` are the
    other records. `only_inserted` are the lines of rows that must not change one that is there.
    """

    lines: pa.Int64Array
    cells: pa.RecordBatch
    flawed: list[Record]
    numbering: Numbering
    only_inserted: list[int] = field(default_factory=list)
