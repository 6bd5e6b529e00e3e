"""Workbooks for tests: made by openpyxl, and changed below what it can make."""

import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

HIRES = ("id", "name", "datetime", "department_id", "job_id")
SHEET = "xl/worksheets/sheet1.xml"

Rows = Iterable[Sequence[Any]]


def workbook(sheets: dict[str, Rows], change: Callable[[Workbook], None] | None = None) -> bytes:
    """An .xlsx with those sheets; `change` may do more to it before it is written."""
    book = Workbook()
    for name in book.sheetnames:
        del book[name]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if change is not None:
        change(book)
    return saved(book)


def one_sheet(rows: Rows, change: Callable[[Worksheet], None] | None = None) -> bytes:
    """An .xlsx with one sheet, named Sheet1."""

    def change_sheet(book: Workbook) -> None:
        if change is not None:
            change(book["Sheet1"])

    return workbook({"Sheet1": rows}, change_sheet)


def saved(book: Workbook) -> bytes:
    """The workbook as a file."""
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def with_part(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same zip, in which a part is changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", 8) as new:
        for part in old.infolist():
            data = old.read(part)
            new.writestr(part.filename, change(data) if part.filename == name else data)
    return buffer.getvalue()


def zipped(parts: dict[str, bytes]) -> bytes:
    """A zip of those parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return buffer.getvalue()


def typed(cell: str) -> Any:
    """The value that a program types into a workbook for the text of a CSV cell."""
    if cell.isdecimal():
        return int(cell)
    try:
        return datetime.fromisoformat(cell.replace("Z", ""))
    except ValueError:
        return cell or None
