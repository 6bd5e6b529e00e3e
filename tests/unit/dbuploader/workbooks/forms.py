"""Files with as many good and rejected rows as real ones, in the forms in which people have them.

`python -m tests.unit.dbuploader.workbooks.forms DIRECTORY` writes them as CSV with a header.
"""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from samples.make_samples import COLUMNS, DEPARTMENTS, hires, jobs
from tests.unit.dbuploader.workbooks.making import one_sheet, typed

LABELS: Mapping[str, Sequence[str]] = {
    "departments": ("id", "department"),
    "jobs": ("id", "job"),
    "hired_employees": COLUMNS,
}
OWN_LABELS: Mapping[str, Sequence[str]] = {
    "departments": ("Nr.", "Bereich"),
    "jobs": ("Nr.", "Stelle"),
    "hired_employees": ("Personal-Nr.", "Wer", "Seit wann", "Bereich", "Stelle"),
}
# What is loaded of each table, and what is rejected.
COUNTS = {"departments": (12, 0), "jobs": (183, 0), "hired_employees": (1929, 70)}
BLANKS = {"department_id": 21, "job_id": 16, "name": 19, "datetime": 14}


def rows(table: str) -> list[list[str]]:
    """The rows of the table."""
    departments, positions = COUNTS["departments"][0], COUNTS["jobs"][0]
    if table == "departments":
        return [[str(number), DEPARTMENTS[number - 1]] for number in range(1, departments + 1)]
    if table == "jobs":
        names = [name + suffix for suffix in ("", " II") for name in jobs()]
        return [[str(number), names[number - 1]] for number in range(1, positions + 1)]
    blank = [column for column, count in BLANKS.items() for _ in range(count)]
    made = []
    for number, (key, name, moment, _, _) in enumerate(hires()[: sum(COUNTS[table])]):
        row = [key, name or "Zoë Grün", moment or "2021-07-27T16:02:08Z"]
        row += [str(number % departments + 1), str(number % positions + 1)]
        if number % 28 == 0 and blank:
            row[COLUMNS.index(blank.pop())] = ""
        made.append(row)
    return made


def as_text(table: str, labels: Sequence[str], delimiter: str, encoding: str) -> bytes:
    """A text with a header."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([labels, *rows(table)])
    return buffer.getvalue().encode(encoding)


def as_workbook(table: str) -> bytes:
    """An .xlsx of openpyxl with typed cells."""
    return one_sheet([LABELS[table], *([typed(cell) for cell in row] for row in rows(table))])


if __name__ == "__main__":
    for name, labels in LABELS.items():
        (Path(sys.argv[1]) / f"{name}.csv").write_bytes(as_text(name, labels, ",", "utf-8"))
