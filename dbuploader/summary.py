"""What a change of hires changes in their summary."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.repository.summary import SummaryKey

SUMMARISED = "hired_employees"

_YEAR = slice(0, 4)
_MONTH = slice(5, 7)
_YEAR_AND_MONTH = slice(0, 7)


class HiresDifferences:
    """Collects by how much each number of hires in the summary changes."""

    def __init__(self) -> None:
        self._hired: Counter[tuple[str, int, int]] = Counter()

    def __len__(self) -> int:
        return len(self._hired)

    def add(self, hires: pa.RecordBatch) -> None:
        """Take note of rows that are there now."""
        self._hired.update(_count(hires))

    def remove(self, hires: pa.RecordBatch) -> None:
        """Take note of rows that are there no longer."""
        self._hired.subtract(_count(hires))

    def change(self, counts: Mapping[tuple[str, int, int], int]) -> None:
        """Take note of changes by month (`2021-07`), department and job."""
        for group, by in counts.items():
            self._hired[group] += by

    def take(self) -> dict[SummaryKey, int]:
        """The differences so far, which are then forgotten."""
        differences: Counter[SummaryKey] = Counter()
        for (month, department, job), by in self._hired.items():
            quarter = (int(month[_MONTH]) + 2) // 3
            differences[int(month[_YEAR]), quarter, department, job] += by
        self._hired.clear()
        return differences


def _count(hires: pa.RecordBatch) -> dict[tuple[str, int, int], int]:
    """The number of rows by month, department and job."""
    months = pc.utf8_slice_codeunits(
        hires.column("datetime"), _YEAR_AND_MONTH.start, _YEAR_AND_MONTH.stop
    )
    columns = [months, hires.column("department_id"), hires.column("job_id")]
    names = ["month", "department", "job"]
    groups = pa.table(columns, names=names).group_by(names, use_threads=False)
    counted = groups.aggregate([([], "count_all")]).select([*names, "count_all"])
    rows = zip(*[column.to_pylist() for column in counted.columns], strict=True)
    return {(month, department, job): count for month, department, job, count in rows}
