"""The sample files as people have them: in workbooks, and as other programs write CSV."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook

from tests.browser.first_day import SAMPLES

Rows = Sequence[Sequence[str]]

LABELS: Mapping[str, Sequence[str]] = {
    "departments": ("id", "department"),
    "jobs": ("id", "job"),
    "hired_employees": ("id", "name", "datetime", "department_id", "job_id"),
}
OWN_LABELS: Mapping[str, Sequence[str]] = {
    "departments": ("Nr.", "Bereich"),
    "jobs": ("Nr.", "Stelle: Titel"),
    "hired_employees": ("Personal-Nr.", "Wer", 'Seit "wann"', "Bereich, Nr.", "Stelle"),
}


def sample(table: str) -> Rows:
    """The rows of a sample."""
    with (SAMPLES / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def as_workbook(table: str, labels: Sequence[str]) -> bytes:
    """An .xlsx with typed cells, whose first sheet is of other things."""
    book = Workbook()
    assert book.active is not None
    book.active.append(["Ask Ana before you change anything"])
    sheet = book.create_sheet("Data")
    sheet.append(list(labels))
    kinds = [_KINDS.get(column, str) for column in LABELS[table]]
    for row in sample(table):
        sheet.append([kind(text) if text else None for kind, text in zip(kinds, row, strict=True)])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def as_text(table: str, labels: Sequence[str], delimiter: str, encoding: str) -> bytes:
    """A text with a header."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(labels)
    writer.writerows(sample(table))
    return buffer.getvalue().encode(encoding)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


_KINDS: Mapping[str, Callable[[str], Any]] = {
    "id": int,
    "department_id": int,
    "job_id": int,
    "datetime": _moment,
}
