"""Whether the first record is a header, and what its labels mean."""

import pytest

from dbuploader.csvfile import FileError
from tests.unit.csv.reading import check, open_bytes

ROW = b"1,Sales\n"
HIRES = ("id", "name", "datetime", "department_id", "job_id")


@pytest.mark.parametrize(
    "header", [b"id,department", b" ID ,Department", b'"id","DEPARTMENT"', b"id,department,_note"]
)
def test_a_first_record_of_column_names_is_a_header(header: bytes) -> None:
    file = open_bytes(header + b"\n")
    assert file.has_header
    assert file.labels == ("id", "department")


@pytest.mark.parametrize("first", [b"1,Department", b"1,Sales", b",Sales", b"x,y", b"-1,id"])
def test_a_first_record_that_could_be_data_is_data(first: bytes) -> None:
    file = open_bytes(first + b"\n")
    assert not file.has_header
    assert file.labels == ("id", "department")
    assert len(list(file)) == 1


def test_a_header_counts_as_line_and_not_as_row() -> None:
    (record,) = open_bytes(b"id,department\n" + ROW)
    assert (record.line, record.row) == (2, 1)


def test_columns_come_in_any_order_and_values_in_the_declared_one() -> None:
    (row,) = check(b"department,id\nSales,1\n")
    assert not hasattr(row, "errors")
    assert row.values == (1, "Sales")
    assert row.cells == ("Sales", "1")


def test_labels_that_begin_with_an_underscore_are_ignored_with_their_cells() -> None:
    file = open_bytes(b"_a,id,_a,department,_\nx,1,y,Sales,z\n")
    assert file.labels == ("id", "department")
    assert [record.cells for record in file] == [("1", "Sales")]


def test_a_record_that_lacks_only_ignored_cells_is_kept_as_text() -> None:
    # As cells it would load when the reject file is sent again as it is.
    (record,) = open_bytes(b"id,department,_note\n1,Sales\n")
    assert record.errors[0].code == "missing-cell"
    assert (record.cells, record.raw) == (None, "1,Sales")


def test_cells_that_are_missing_are_blank_in_the_order_of_the_labels() -> None:
    (record,) = open_bytes(b"_note,department,id\nx,Sales\n")
    assert (record.cells, record.raw) == (("Sales", ""), None)


def test_a_reject_file_is_valid_input() -> None:
    data = (
        b"id,department,_line,_row,_code,_column,_message,_raw\r\n"
        b'1,Sales,7,6,constraint-error,department,"""x"" is, well, wrong",\r\n'
        b',,8,7,quote-error,,a quote stands alone,"9,""Legal"\r\n'
    )
    good, bad = check(data)
    assert not hasattr(good, "errors")
    assert good.values == (1, "Sales")
    assert bad.cells == ("", "")


@pytest.mark.parametrize(
    ("header", "code", "named"),
    [
        (b"id,department,region", "extra-label", "region"),
        (b"id", "missing-label", "department"),
        (b"id,_x", "missing-label", "department"),
        (b"id,department,Id", "duplicate-label", "id"),
        (b"id,department,", "blank-label", "3"),
    ],
)
def test_labels_that_do_not_fit_fail_the_file(header: bytes, code: str, named: str) -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(header + b"\n" + ROW)
    assert caught.value.code == code
    assert named in caught.value.detail


def test_with_header_present_the_first_record_is_the_header_whatever_it_is() -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(ROW, header="present")
    assert caught.value.code == "extra-label"


def test_with_header_absent_the_first_record_is_data_whatever_it_is() -> None:
    file = open_bytes(b"id,department\n" + ROW, header="absent")
    assert not file.has_header
    assert [record.cells for record in file] == [("id", "department"), ("1", "Sales")]


@pytest.mark.parametrize(
    ("header", "code"),
    [(b'id,"department', "quote-error"), (b"id,depart\xffment", "encoding-error")],
)
def test_a_header_that_cannot_be_read_fails_the_file(header: bytes, code: str) -> None:
    # Taken for data, it would leave the columns in an order that nobody said.
    with pytest.raises(FileError) as caught:
        open_bytes(header + b"\n" + ROW)
    assert caught.value.code == code


def test_a_headerless_file_has_the_declared_columns() -> None:
    assert open_bytes(b"1,Ana,2021-01-01T00:00:00Z,1,1\n", "hired_employees").labels == HIRES
