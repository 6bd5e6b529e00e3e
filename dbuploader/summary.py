"""What a change of hires changes in their summary."""

from collections import Counter
from collections.abc import Iterable

from dbuploader.repository.rows import PlainRow
from dbuploader.repository.summary import SummaryKey
from muster.tables import Table

SUMMARISED = "hired_employees"

_YEAR = slice(0, 4)
_MONTH = slice(5, 7)
_YEAR_AND_MONTH = slice(0, 7)


class HiresDifferences:
    """Collects by how much each number of hires in the summary changes."""

    def __init__(self, table: Table) -> None:
        self._at = table.column_names.index("datetime")
        self._department = table.column_names.index("department_id")
        self._job = table.column_names.index("job_id")
        self._hired: Counter[tuple[str, int | str, int | str]] = Counter()

    def __len__(self) -> int:
        return len(self._hired)

    def count(self, added: Iterable[PlainRow], removed: Iterable[PlainRow] = ()) -> None:
        """Take note of rows that are there now, and of rows that are no longer."""
        self._hired.update(map(self._group, added))
        self._hired.subtract(map(self._group, removed))

    def take(self) -> dict[SummaryKey, int]:
        """The differences so far, which are then forgotten."""
        differences: Counter[SummaryKey] = Counter()
        for (month, department, job), by in self._hired.items():
            quarter = (int(month[_MONTH]) + 2) // 3
            differences[int(month[_YEAR]), quarter, int(department), int(job)] += by
        self._hired.clear()
        return differences

    def _group(self, row: PlainRow) -> tuple[str, int | str, int | str]:
        return str(row[self._at])[_YEAR_AND_MONTH], row[self._department], row[self._job]
