"""The summary of hires: what changed rows change in it, and writing that to the database."""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, and_, bindparam, delete
from sqlalchemy.sql.dml import Insert

from dbuploader.arrow import to_rows
from dbuploader.db.rows import execute_many, upsert
from muster.contracts.tables.sql import hires_summary

SUMMARISED = "hired_employees"
"""The table whose rows the summary counts."""
MOST_NUMBERS = 100_000
"""Of how many numbers, by year, quarter and department, it is known how each changes."""
_DEPARTMENT = ["year", "quarter", "department_id"]
_GROUP = [*_DEPARTMENT, "job_id"]
_NOTHING = pa.schema(
    [*((name, pa.int32()) for name in _GROUP), ("hired", pa.int64())]
).empty_table()
_YEAR = slice(0, 4)
_MONTH = slice(5, 7)
# Fewer are not worth the time that adding up takes.
_SUMMED_UP = 200_000
# Nearly 200 bytes each while they are summed up. To write them waits for all rows before.
_MOST_HELD = 500_000
_FEW = 5_000
# So many take no longer than the calls that take many at once.
_ROWS_ONE_BY_ONE = 200
_GROUPS_AT_ONCE = 10_000
_HIRED = hires_summary.c.hired
_KEYS = list(hires_summary.primary_key.columns.keys())
_DELETE_EMPTIED = delete(hires_summary).where(
    and_(*(column == bindparam(column.name) for column in hires_summary.primary_key.columns)),
    _HIRED == 0,
)


class Difference(NamedTuple):
    """By how much a number of hires changes: that of a year, quarter and department."""

    year: int
    quarter: int
    department_id: int
    by: int


class HiresDifferences:
    """Adds up by how much each number of hires in the summary changes.

    In columns: about one group for every few rows would be many Python objects.
    """

    def __init__(self) -> None:
        self._held = _Sums(_GROUP)
        self._taken: _Sums | None = _Sums(_DEPARTMENT)

    def __len__(self) -> int:
        """How many differences are held; each group may have several."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether the differences that are held take much memory: then take() them."""
        return len(self) > _MOST_HELD

    def add(self, hires: pa.RecordBatch) -> None:
        """Count rows that exist from now on."""
        if len(hires):
            self._held.note(_count(hires))

    def remove(self, hires: pa.RecordBatch) -> None:
        """Count rows that exist no longer."""
        if len(hires):
            counted = _count(hires)
            self._held.note(counted.set_column(4, "hired", pc.negate(counted.column("hired"))))

    def include(self, other: "HiresDifferences") -> None:
        """Count what `other` counts, too, and has not given away."""
        for changes in other._held.parts:
            self._held.note(changes)

    def take(self) -> pa.Table:
        """The differences so far, which are then no longer held, in the order of the summary's key.

        The columns are the summary's; none of the numbers is 0.
        """
        changed = self._held.take()
        if self._taken is not None:
            self._taken.note(changed.drop_columns("job_id"))
            if len(self._taken) > 2 * max(MOST_NUMBERS, _SUMMED_UP):
                self._taken = None
        return changed

    def by_department(self) -> list[Difference] | None:
        """All differences, also those taken, in order and none of them 0; None if too many."""
        if self._taken is None:
            return None
        parts = [part for part in (*self._taken.parts, *self._held.parts) if len(part)]
        if sum(map(len, parts)) <= _FEW:
            return _add_up(parts)
        sums = _Sums(_DEPARTMENT)
        for part in parts:
            sums.note(part.select([*_DEPARTMENT, "hired"]))
        summed = sums.take()
        if len(summed) > MOST_NUMBERS:
            return None
        return [*map(Difference._make, to_rows(summed))]


class _Sums:
    """Adds up numbers of hires by the columns `group`."""

    def __init__(self, group: list[str]) -> None:
        self._group = group
        self._names = [*group, "hired"]
        self._summed = _NOTHING.select(self._names)
        self._further: list[pa.Table] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._summed) + self._count

    @property
    def parts(self) -> list[pa.Table]:
        """What is to be added up."""
        return [self._summed, *self._further]

    def note(self, changes: pa.Table) -> None:
        self._further.append(changes)
        self._count += len(changes)
        # Only once it may halve them, so that each difference is added up only a few times.
        if self._count > max(_SUMMED_UP, len(self._summed)):
            self._sum_up()

    def take(self) -> pa.Table:
        """The sums that are not 0, in order, which are then forgotten."""
        self._sum_up()
        changed = self._summed.filter(pc.not_equal(self._summed.column("hired"), 0))
        self._summed = self._summed[:0]
        return changed.sort_by([(name, "ascending") for name in self._group])

    def _sum_up(self) -> None:
        groups = pa.concat_tables(self.parts).group_by(self._group, use_threads=False)
        summed = groups.aggregate([("hired", "sum")])
        self._summed = summed.select([*self._group, "hired_sum"]).rename_columns(self._names)
        self._further, self._count = [], 0


def _add_up(parts: list[pa.Table]) -> list[Difference]:
    """As columns would be: for few numbers that takes several times as long."""
    sums: dict[tuple[int, int, int], int] = {}
    for part in parts:
        *group, hired = [part.column(name).to_pylist() for name in (*_DEPARTMENT, "hired")]
        for number, by in zip(zip(*group, strict=True), hired, strict=True):
            sums[number] = sums.get(number, 0) + by
    return [Difference(*group, by) for group, by in sorted(sums.items()) if by]


def _count(hires: pa.RecordBatch) -> pa.Table:
    """The number of rows by quarter, department and job."""
    return _count_each(hires) if len(hires) <= _ROWS_ONE_BY_ONE else _count_columns(hires)


def _count_each(hires: pa.RecordBatch) -> pa.Table:
    names = ("datetime", "department_id", "job_id")
    counted = Counter(
        (int(moment[_YEAR]), (int(moment[_MONTH]) + 2) // 3, department, job)
        for moment, department, job in zip(
            *(hires.column(name).to_pylist() for name in names), strict=True
        )
    )
    columns = [*zip(*counted, strict=True), counted.values()]
    types = _NOTHING.schema.types
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_NOTHING.schema)


def _count_columns(hires: pa.RecordBatch) -> pa.Table:
    moments = hires.column("datetime")
    months = _integers(moments, _MONTH)
    columns = [
        _integers(moments, _YEAR),
        pc.divide(pc.add(months, 2), 3),
        hires.column("department_id"),
        hires.column("job_id"),
    ]
    groups = pa.table(columns, names=_GROUP).group_by(_GROUP, use_threads=False)
    counted = groups.aggregate([([], "count_all")]).select([*_GROUP, "count_all"])
    return counted.rename_columns(_NOTHING.schema.names).cast(_NOTHING.schema)


def _integers(texts: pa.StringArray, digits: slice) -> pa.Int32Array:
    return pc.utf8_slice_codeunits(texts, digits.start, digits.stop).cast(pa.int32())


def add_to_summary(connection: Connection, differences: pa.Table) -> None:
    """Add the differences to the number of hires under each key; a number that is 0 goes.

    They have the columns of the summary, and are in the order of its key: so that two transactions
    wait for each other instead of deadlocking.
    """
    add = _add_by_text if connection.dialect.name == "mysql" else _add_by_rows
    for some in differences.to_batches(_GROUPS_AT_ONCE):
        add(connection, some)
    fewer = differences.filter(pc.less(differences.column("hired"), 0)).select(_KEYS)
    if len(fewer):
        connection.execute(_DELETE_EMPTIED, fewer.to_pylist())


def _add_by_rows(connection: Connection, differences: pa.RecordBatch) -> None:
    execute_many(connection, _addition(connection.dialect.name), to_rows(differences))


@lru_cache
def _addition(dialect: str) -> Insert:
    return upsert(dialect, hires_summary, lambda new: {"hired": _HIRED + new["hired"]})


def _add_by_text(connection: Connection, differences: pa.RecordBatch) -> None:
    # All are integers. The driver would take longer to write them into the statement one by one
    # than the server does to read it.
    texts = [column.cast(pa.string()) for column in differences.columns]
    values = "),(".join(pc.binary_join_element_wise(*texts, ",").to_pylist())
    names = ", ".join(differences.schema.names)
    connection.exec_driver_sql(
        f"INSERT INTO hires_summary ({names}) VALUES ({values})"  # noqa: S608
        " ON DUPLICATE KEY UPDATE hired = hired + VALUES(hired)"
    )
