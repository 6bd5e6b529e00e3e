"""The summary of hires: what changed rows change in it, and writing that to the database."""

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, and_, bindparam, delete
from sqlalchemy.sql.dml import Insert

from dbuploader.arrow import to_rows
from dbuploader.db.rows import execute_many, upsert
from muster.contracts.tables.sql import hires_summary

SUMMARISED = "hired_employees"
"""The table whose rows the summary counts."""
_GROUP = ["year", "quarter", "department_id", "job_id"]
_NOTHING = pa.schema(
    [*((name, pa.int32()) for name in _GROUP), ("hired", pa.int64())]
).empty_table()
_YEAR = slice(0, 4)
_MONTH = slice(5, 7)
# Fewer are not worth the time that adding up takes.
_SUMMED_UP = 200_000
_GROUPS_AT_ONCE = 10_000
_HIRED = hires_summary.c.hired
_KEYS = list(hires_summary.primary_key.columns.keys())
_DELETE_EMPTIED = delete(hires_summary).where(
    and_(*(column == bindparam(column.name) for column in hires_summary.primary_key.columns)),
    _HIRED == 0,
)


class HiresDifferences:
    """Adds up by how much each number of hires in the summary changes.

    In columns: about one group for every few rows would be many Python objects.
    """

    def __init__(self) -> None:
        self._summed = _NOTHING
        self._further: list[pa.Table] = []
        self._count = 0

    def __len__(self) -> int:
        """How many differences are held; each group may have several."""
        return len(self._summed) + self._count

    def add(self, hires: pa.RecordBatch) -> None:
        """Count rows that exist from now on."""
        if len(hires):
            self._note(_count(hires))

    def remove(self, hires: pa.RecordBatch) -> None:
        """Count rows that exist no longer."""
        if len(hires):
            counted = _count(hires)
            self._note(counted.set_column(4, "hired", pc.negate(counted.column("hired"))))

    def include(self, other: "HiresDifferences") -> None:
        """Count what `other` counts, too."""
        for changes in (other._summed, *other._further):
            self._note(changes)

    def take(self) -> pa.Table:
        """The differences so far, which are then forgotten, in the order of the summary's key.

        The columns are the summary's; none of the numbers is 0.
        """
        self._sum_up()
        changed = self._summed.filter(pc.not_equal(self._summed.column("hired"), 0))
        self._summed = _NOTHING
        return changed.sort_by([(name, "ascending") for name in _GROUP])

    def _note(self, changes: pa.Table) -> None:
        self._further.append(changes)
        self._count += len(changes)
        # Only once it may halve them, so that each difference is added up only a few times.
        if self._count > max(_SUMMED_UP, len(self._summed)):
            self._sum_up()

    def _sum_up(self) -> None:
        changes = pa.concat_tables([self._summed, *self._further])
        groups = changes.group_by(_GROUP, use_threads=False).aggregate([("hired", "sum")])
        self._summed = groups.select([*_GROUP, "hired_sum"]).rename_columns(_NOTHING.schema.names)
        self._further, self._count = [], 0


def _count(hires: pa.RecordBatch) -> pa.Table:
    """The number of rows by quarter, department and job."""
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
