"""Files of hires with odd headers and odd lines above them.

`python -m tests.unit.dbuploader.csvfile.odd_headers` counts what becomes of them.

Each holds the same three hires, so that a value in the wrong column shows.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.csvfile.reader import open_csv
from dbuploader.validation.chunks import ColumnChecker
from muster.contracts.tables import get_table

HIRES = get_table("hired_employees")
# No value would do in another column: department and job differ in every row.
ROWS = (
    (101, "Ana Lópèz", "2021-07-27T16:02:08Z", 1, 22),
    (102, "Bo; the second", "2021-11-07T02:48:42Z", 2, 21),
    (103, "Cy", "2021-01-01T00:00:00Z", 3, 23),
)
ORDERS = ((0, 1, 2, 3, 4), (0, 1, 2, 4, 3), (4, 3, 2, 1, 0))
HEADERS = {
    "declared": ("id", "name", "datetime", "department_id", "job_id"),
    "capitals": ("ID", "NAME", "DATETIME", "DEPARTMENT_ID", "JOB_ID"),
    "blanks": ("Id", "Name", "Date Time", "Department ID", "Job ID"),
    "hyphens": ("id", "name", "date-time", "department-id", "job-id"),
    "camel case": ("id", "name", "dateTime", "departmentId", "jobId"),
    "brackets": ("[id]", "[name]", "[datetime]", "[department_id]", "[job_id]"),
    "comment": ("#id", "name", "datetime", "department_id", "job_id"),
    "invisible": ("id\u200b", "\ufeffname", "date\u00adtime", "department\u00a0id", "job\u2011id"),
    "aliases": ("Employee No", "Full name", "Hire date", "Department number", "Job number"),
    "other words": ("Key", "Who", "When", "Where", "What"),
    "German": ("Nummer", "Name", "Zeitpunkt", "Abteilung", "Stelle"),
    "Japanese": ("番号", "氏名", "日時", "部署", "職種"),
    "two known": ("id", "name", "when", "where", "what"),
    "one known": ("Key", "name", "When", "Where", "What"),
    "absent": (),
}
ABOVE = {
    "nothing": "",
    "title": "Hires of 2021\n",
    "titles": "Company\nHires\n\nas of 2021-12-31\n",
    "comment": "# exported, by hand\n",
    "blank cells": ",,,,\n",
}
FURTHER = (("sep=;\n", ";"), ("sep=,\n", ","))


@dataclass(frozen=True)
class OddFile:
    """A file and what it is called."""

    name: str
    content: bytes


def odd_files() -> Iterator[OddFile]:
    """All of them, 225 by their headers and 12 by the delimiter that they say."""
    for (label, header), (above, text), order in product(HEADERS.items(), ABOVE.items(), ORDERS):
        yield OddFile(f"{label}, {above}, {order}", _written(header, text, order, ","))
    for (text, delimiter), (label, header) in product(FURTHER, list(HEADERS.items())[:6]):
        yield OddFile(f"{label}, {text.strip()}", _written(header, text, ORDERS[1], delimiter))


def _written(header: Sequence[str], above: str, order: Sequence[int], delimiter: str) -> bytes:
    file = io.StringIO(newline="")
    file.write(above)
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow([header[place] for place in order])
    writer.writerows([row[place] for place in order] for row in ROWS)
    return file.getvalue().encode()


def rows_of(content: bytes) -> tuple[list[tuple[object, ...]], int]:
    """The rows of a file that would be loaded, and how many rejects there are; raises FileError."""
    file = open_csv(io.BytesIO(content), HIRES, CsvOptions())
    checker = ColumnChecker(HIRES, file.labels)
    rows: list[tuple[object, ...]] = []
    rejected = 0
    for chunk in map(checker.check, file.chunks()):
        rows += [tuple(row.values()) for row in chunk.rows.to_pylist()]
        rejected += len(chunk.rejects)
    return rows, rejected


def outcome_of(file: OddFile) -> str:
    """`loaded`, `rejected` (in whole or in part), or the code of the file's error."""
    try:
        _, rejected = rows_of(file.content)
    except FileError as error:
        return error.code
    return "rejected" if rejected else "loaded"


if __name__ == "__main__":
    for outcome, count in Counter(map(outcome_of, odd_files())).most_common():
        print(f"{count:4} {outcome}")
