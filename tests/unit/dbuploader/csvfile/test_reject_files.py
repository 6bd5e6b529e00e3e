"""A reject file that comes back is read strictly: nothing in it loads that was not corrected."""

import csv
import io
from collections.abc import Sequence

import pytest

from dbuploader.csvfile.chunks import Chunk
from dbuploader.csvfile.reader import CsvFile
from dbuploader.validation.chunks import ColumnChecker
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table
from tests.unit.dbuploader.csvfile.reading import open_bytes

REASON = ("_line", "_row", "_code", "_column", "_message", "_raw")
LABELS = ("id", "department")


def reject_file(*rows: Sequence[str], further: Sequence[str] = ()) -> CsvFile:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([(*LABELS, *REASON, *further), *rows])
    return open_bytes(text.getvalue().encode())


def chunk_of(file: CsvFile) -> Chunk:
    (chunk,) = file.chunks()
    return chunk


def checked(file: CsvFile) -> tuple[list[tuple[object, ...]], list[Reject]]:
    found = ColumnChecker(get_table("departments"), file.labels).check(chunk_of(file))
    return [tuple(row.values()) for row in found.rows.to_pylist()], found.rejects


def test_nothing_inside_a_quoted_cell_is_a_row() -> None:
    for name in ("x\n5,Injected,,,,,,\ny", 'x"\n5,Injected,,,,,,\n"y', "x\r5,Injected\ry"):
        rows, rejects = checked(reject_file(("abc", name, "1", "1", "type-error", "id", "no", "")))
        assert rows == []
        assert [(reject.cells, reject.line, reject.row) for reject in rejects] == [
            (("abc", name), 2, 1)
        ]


def test_a_quote_that_does_not_close_takes_along_what_may_be_inside_it() -> None:
    data = (
        b"id,department,_line,_code\n"
        b'1,"Sales,1,type-error\n5,Injected,2,type-error\n6,Le"gal,3,type-error\n7,Cook,4,\n'
    )
    chunk = chunk_of(open_bytes(data))
    assert chunk.cells.to_pylist() == [{"id": "7", "department": "Cook"}]
    (reject,) = chunk.flawed
    assert (reject.line, reject.errors[0].code) == (2, "quote-error")
    assert reject.raw is not None
    assert "Injected" in reject.raw
    assert chunk.numbering.row(5) == 2


@pytest.mark.parametrize(
    "code", ["quote-error", "encoding-error", "row-error", "extra-cell", "missing-cell"]
)
def test_a_line_that_was_given_back_as_text_is_rejected_again_as_it_was(code: str) -> None:
    _, (reject,) = checked(reject_file(("", "", "7", "6", code, "", "the reason", '9,"Legal')))
    assert (reject.cells, reject.raw) == (None, '9,"Legal')
    assert [(error.code, error.message) for error in reject.errors] == [(code, "the reason")]


def test_a_row_that_lacked_cells_is_rejected_again_until_they_are_there() -> None:
    lacking = ("7", "", "7", "6", "missing-cell", "", "the reason", "")
    _, (reject,) = checked(reject_file(lacking))
    assert (reject.cells, reject.errors[0].code) == (("7", ""), "missing-cell")
    assert checked(reject_file(("7", "Sales", *lacking[2:])))[0] == [(7, "Sales")]


def test_a_line_given_back_as_text_loads_once_its_cells_are_filled_in() -> None:
    rows, _ = checked(reject_file(("9", "Legal", "7", "6", "quote-error", "", "why", '9,"Legal')))
    assert rows == [(9, "Legal")]


def test_a_row_whose_key_was_taken_must_not_change_the_row_that_is_there() -> None:
    row = ("9", "Legal", "7", "6", "primary-key", "id", "why", "")
    assert chunk_of(reject_file(row)).only_inserted == [2]
    assert chunk_of(reject_file((*row[:4], "", *row[5:]))).only_inserted == []


@pytest.mark.parametrize("name", ["@Ana", "'@Ana", "''=1+1", "-", "\t", "'plain", "O'Neil"])
def test_an_apostrophe_that_was_put_before_a_cell_is_taken_off(name: str) -> None:
    safe = f"'{name}" if name.lstrip("'")[:1] in {"=", "+", "-", "@", "\t"} else name
    row = ("9", safe, "7", "6", "type-error", "id", "why", "", "safe")
    file = reject_file(row, further=["_spreadsheet"])
    assert chunk_of(file).cells.to_pylist() == [{"id": "9", "department": name}]
    (record,) = reject_file(row[:-1])
    assert record.cells == ("9", safe)


def test_a_record_may_be_as_long_as_a_reject_file_makes_it() -> None:
    name = '"' * 64 * 1024
    row = ("", "", "7", "6", "row-error", "", "why", name)
    _, (reject,) = checked(reject_file(row))
    assert (reject.raw, reject.errors[0].code) == (name, "row-error")
