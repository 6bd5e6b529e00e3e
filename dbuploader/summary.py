"""What a change of hires changes in their summary."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.repository.summary import SummaryKey

_YEAR = slice(0, 4)
_MONTH = slice(5, 7)
_YEAR_AND_MONTH = slice(0, 7)

_GROUP = ["month", "department", "job"]
_NOTHING = pa.schema(
    [("month", pa.string()), ("department", pa.int32()), ("job", pa.int32()), ("by", pa.int64())]
).empty_table()


class HiresDifferences:
    """Collects by how much each number of hires in the summary changes."""

    def __init__(self) -> None:
        self._hired = _NOTHING

    def __len__(self) -> int:
        return len(self._hired)

    def add(self, hires: pa.RecordBatch) -> None:
        """Take note of rows that are there now."""
        self._note(_count(hires))

    def remove(self, hires: pa.RecordBatch) -> None:
        """Take note of rows that are there no longer."""
        counted = _count(hires)
        self._note(counted.set_column(3, "by", pc.negate(counted.column("by"))))

    def change(self, counts: Mapping[tuple[str, int, int], int]) -> None:
        """Take note of changes by month (`2021-07`), department and job."""
        rows = [(*group, by) for group, by in counts.items()]
        columns = list(zip(*rows, strict=True)) or [()] * len(_NOTHING.schema)
        self._note(pa.table([*map(list, columns)], schema=_NOTHING.schema))

    def take(self) -> dict[SummaryKey, int]:
        """The differences so far, which are then forgotten."""
        differences: dict[SummaryKey, int] = {}
        rows = zip(*[column.to_pylist() for column in self._hired.columns], strict=True)
        for month, department, job, by in rows:
            quarter = (int(month[_MONTH]) + 2) // 3
            key = (int(month[_YEAR]), quarter, department, job)
            differences[key] = differences.get(key, 0) + by
        self._hired = _NOTHING
        return differences

    def _note(self, changes: pa.Table) -> None:
        # In columns: one group or so for each few rows would be many objects of Python.
        groups = pa.concat_tables([self._hired, changes]).group_by(_GROUP, use_threads=False)
        summed = groups.aggregate([("by", "sum")]).select([*_GROUP, "by_sum"])
        self._hired = summed.rename_columns(_NOTHING.schema.names)


def _count(hires: pa.RecordBatch) -> pa.Table:
    """The number of rows by month, department and job."""
    months = pc.utf8_slice_codeunits(
        hires.column("datetime"), _YEAR_AND_MONTH.start, _YEAR_AND_MONTH.stop
    )
    columns = [months, hires.column("department_id"), hires.column("job_id")]
    groups = pa.table(columns, names=_GROUP).group_by(_GROUP, use_threads=False)
    counted = groups.aggregate([([], "count_all")]).select([*_GROUP, "count_all"])
    return counted.rename_columns(_NOTHING.schema.names).cast(_NOTHING.schema)
