"""What the CSV tests do again and again: read bytes as a table's file, and check them."""

from collections.abc import Mapping
from io import BytesIO
from typing import Literal

from dbuploader.csvfile.model import CsvOptions, Record
from dbuploader.csvfile.reader import CsvFile, open_csv
from dbuploader.validation.rows import Row, RowChecker
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table


def open_bytes(
    data: bytes,
    table: str = "departments",
    *,
    header: Literal["auto", "present", "absent"] = "auto",
    delimiter: str = "auto",
    encoding: str = "auto",
    columns: Mapping[str, str] | None = None,
    block_size: int = 1024,
    sample_size: int = 1024,
) -> CsvFile:
    options = CsvOptions(header, delimiter, encoding, columns or {})
    return open_csv(
        BytesIO(data), get_table(table), options, block_size=block_size, sample_size=sample_size
    )


def read(data: bytes, table: str = "departments") -> list[Record]:
    return list(open_bytes(data, table))


def check(data: bytes, table: str = "departments") -> list[Row | Reject]:
    file = open_bytes(data, table)
    return list(map(RowChecker(get_table(table), file.labels).check, file))


def cells(data: bytes, table: str = "departments") -> list[tuple[str, ...] | None]:
    return [record.cells for record in read(data, table)]


def codes(results: list[Row | Reject] | list[Record]) -> list[tuple[int, str]]:
    """The physical line and the first code of each result that is not good."""
    return [
        (result.line, result.errors[0].code)
        for result in results
        if not isinstance(result, Row) and result.errors
    ]
