"""Checking many records at once: the ordinary ones by columns, and the others one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.arrow import rows_schema
from dbuploader.csvfile.chunks import Chunk, Numbering
from dbuploader.csvfile.model import Record
from dbuploader.validation.rows import RowChecker, checker
from muster.contracts.rejects import Reject
from muster.contracts.tables import Table
from muster.contracts.uploads import DateOrder

_FEW_LINES = 30


@dataclass(frozen=True)
class CheckedChunk:
    """Some consecutive records of a file, checked.

    `rows` are the good ones, `lines` the physical lines on which they begin, and `cells` their
    texts, a column for each label of the file. `rejects` are the others, in the order of the input.
    `only_inserted` are the lines of those of both that must not change a row that is there.
    """

    lines: pa.Int64Array
    rows: pa.RecordBatch
    cells: pa.RecordBatch
    rejects: list[Reject]
    numbering: Numbering
    only_inserted: list[int]

    def __len__(self) -> int:
        return len(self.lines) + len(self.rejects)

    def select(self, mask: pa.BooleanArray) -> "CheckedChunk":
        """The same with those good rows only for which `mask` holds."""
        if mask.false_count == 0:
            return self
        return replace(
            self,
            lines=self.lines.filter(mask),
            rows=self.rows.filter(mask),
            cells=self.cells.filter(mask),
        )

    def records(self) -> Iterator[Record]:
        """The good rows as the records that they were."""
        texts = zip(*[column.to_pylist() for column in self.cells.columns], strict=True)
        for line, cells in zip(self.lines.to_pylist(), texts, strict=True):
            yield Record(line, self.numbering.row(line), cells, None, ())


class ColumnChecker:
    """Checks chunks whose cells are in the order of `labels`: all columns of `table`."""

    def __init__(self, table: Table, labels: Sequence[str], dates: DateOrder = "iso") -> None:
        self._table = table
        self._row_checker = RowChecker(table, labels, dates)
        self._columns = [
            (labels.index(column.name), checker(column, dates)) for column in table.columns
        ]

    def check(self, chunk: Chunk) -> CheckedChunk:
        """What RowChecker says of each record, found without a loop over the ordinary ones."""
        few = len(chunk.lines) <= _FEW_LINES
        columns = [
            (checker.check_each if few else checker.check_column)(chunk.cells.column(place))
            for place, checker in self._columns
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=rows_schema(self._table))
        rejects = [Reject(*record) for record in chunk.flawed]
        checked = CheckedChunk(
            chunk.lines, rows, chunk.cells, rejects, chunk.numbering, chunk.only_inserted
        )
        good = reduce(pc.and_, [pc.is_valid(column) for column in columns])
        return checked if good.false_count == 0 else self._reject_others(checked, good)

    def _reject_others(self, chunk: CheckedChunk, good: pa.BooleanArray) -> CheckedChunk:
        """The chunk, in which each row that is not good is a reject."""
        others = chunk.select(pc.invert(good))
        results = map(self._row_checker.check, others.records())
        rejects = [result for result in results if isinstance(result, Reject)]
        ordered = sorted([*chunk.rejects, *rejects], key=attrgetter("line"))
        return replace(chunk.select(good), rejects=ordered)
