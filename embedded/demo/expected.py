"""What the suite must answer, worked out from the CSV files alone with none of its code."""

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

COLUMNS = {
    "departments": ("id", "department"),
    "jobs": ("id", "job"),
    "hired_employees": ("id", "name", "datetime", "department_id", "job_id"),
}
_PARENTS = {"department_id": "departments", "job_id": "jobs"}

Row = dict[str, str]


@dataclass(frozen=True)
class ExpectedUpload:
    """What must become of one file: its records, the lines rejected, and of which column."""

    read: int
    rejected: dict[int, str]

    @property
    def loaded(self) -> int:
        """Rows that end up in the table."""
        return self.read - len(self.rejected)


class Expected:
    """What must be answered about the files of a directory.

    Only for plain files: no header, one record a line, each id once, blank cells or unknown parents
    the only mistakes.
    """

    def __init__(self, directory: Path) -> None:
        self.uploads: dict[str, ExpectedUpload] = {}
        self._tables: dict[str, dict[str, Row]] = {}
        for table in COLUMNS:
            self._read(directory / f"{table}.csv", table)

    def _read(self, path: Path, table: str) -> None:
        rejected: dict[int, str] = {}
        rows = self._tables[table] = {}
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = [dict(zip(COLUMNS[table], cells, strict=True)) for cells in csv.reader(file)]
        for line, row in enumerate(records, 1):
            wrong = self._wrong_column(row)
            if wrong is None:
                rows[row["id"]] = row
            else:
                rejected[line] = wrong
        self.uploads[table] = ExpectedUpload(len(records), rejected)

    def _wrong_column(self, row: Row) -> str | None:
        blank = (column for column, cell in row.items() if not cell.strip())
        orphaned = (
            column
            for column, parent in _PARENTS.items()
            if column in row and row[column] not in self._tables[parent]
        )
        return next(blank, None) or next(orphaned, None)

    def years(self) -> list[int]:
        """The years of the hires, the one with most of them first."""
        hires = self._tables["hired_employees"].values()
        return [year for year, _ in Counter(_moment(hire).year for hire in hires).most_common()]

    def hires_by_quarter(self, year: int) -> list[dict[str, Any]]:
        """Hires of each department and job that hired in the year, by quarter."""
        quarters: dict[tuple[str, str], list[int]] = {}
        for hire in self._hires(year):
            counts = quarters.setdefault((hire["department_id"], hire["job_id"]), [0, 0, 0, 0])
            counts[(_moment(hire).month - 1) // 3] += 1
        rows = [
            {
                "department": self._tables["departments"][department]["department"],
                "job": self._tables["jobs"][job]["job"],
                **dict(zip(("q1", "q2", "q3", "q4"), counts, strict=True)),
            }
            for (department, job), counts in quarters.items()
        ]
        return sorted(rows, key=lambda row: (row["department"].casefold(), row["job"].casefold()))

    def departments_above_mean(self, year: int) -> tuple[float, list[dict[str, Any]]]:
        """The mean of hires over all departments, and those that hired more."""
        hired = Counter(hire["department_id"] for hire in self._hires(year))
        departments = self._tables["departments"]
        mean = hired.total() / len(departments)
        rows = [
            {"id": int(id_), "department": departments[id_]["department"], "hired": count}
            for id_, count in hired.items()
            if count > mean
        ]
        return mean, sorted(rows, key=lambda row: (-row["hired"], row["department"].casefold()))

    def _hires(self, year: int) -> list[Row]:
        hires = self._tables["hired_employees"].values()
        return [hire for hire in hires if _moment(hire).year == year]


def _moment(hire: Row) -> datetime:
    return datetime.fromisoformat(hire["datetime"])
