"""Whether the first record is a header, and what its labels mean."""

from collections.abc import Callable

import pytest

from dbuploader.csvfile.model import FileError
from dbuploader.csvfile.reader import CsvFile
from muster.contracts.rejects import Reject
from tests.unit.dbuploader.csvfile.reading import check, open_bytes

ROW = b"1,Sales\n"
HIRES = ("id", "name", "datetime", "department_id", "job_id")


@pytest.mark.parametrize(
    "header", [b"id,department", b" ID ,Department", b'"id","DEPARTMENT"', b"id,department,_note"]
)
def test_a_first_record_of_column_names_is_a_header(header: bytes) -> None:
    file = open_bytes(header + b"\n")
    assert file.has_header
    assert file.labels == ("id", "department")


@pytest.mark.parametrize("first", [b"1,Department", b"1,Sales", b",Sales", b"-1,id", b"1.0,x"])
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
    assert isinstance(bad, Reject)
    assert (bad.cells, bad.raw) == (None, '9,"Legal')
    assert [error.code for error in bad.errors] == ["quote-error"]


@pytest.mark.parametrize(
    ("header", "code", "named"),
    [
        (b"id,department,region", "extra-label", "region"),
        (b"id", "missing-label", "department"),
        (b"id,_x", "missing-label", "department"),
        (b"id,department,Id", "duplicate-label", "id"),
        (b"id,,department", "blank-label", "2"),
    ],
)
def test_labels_that_do_not_fit_fail_the_file(header: bytes, code: str, named: str) -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(header + b"\n" + ROW)
    assert caught.value.code == code
    assert named in caught.value.detail


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"id,name,department", "The header, on line 3, has unknown columns"),
        (b"id,,department", "The header, on line 3, has no label for column 2"),
        (b"id,id,department", "The header, on line 3, names a column more than once: id"),
        (b"id,_name", "The header, on line 3, lacks department"),
        (b'id,department,"', "The header, on line 3, cannot be read"),
    ],
)
def test_a_header_below_the_first_line_is_told_where_it_is(header: bytes, said: str) -> None:
    for above in (b"Departments\n\n", b"\n\n"):
        with pytest.raises(FileError) as caught:
            open_bytes(above + header + b"\n1,Sales,x\n")
        assert caught.value.detail.startswith(said)
    with pytest.raises(FileError) as caught:
        open_bytes(header + b"\n1,Sales,x\n")
    assert caught.value.detail.startswith(said.replace(", on line 3,", ""))


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


HIRE = b"1,Ana,2021-01-01T00:00:00Z,10,20\n"


@pytest.mark.parametrize(
    "header",
    [
        "ID,Name,DateTime,Department ID,Job ID",
        "id,name,datetime,department-id,jobId",
        "[id],[name],[datetime],[department_id],[job_id]",
        "#id,name,datetime,department_id,job_id",
        "# id , 'name',\u201cdatetime\u201d,department id,JOB_ID",
        "id\u200b,\ufeffname,date\u00adtime,department\u00a0id,job\u2011id",
        "Employee No,Full name,Hire date,Department number,Job number",
        "\uff49\uff44,name,datetime,department_id,job_id",
    ],
)
def test_labels_are_compared_as_people_write_them(header: str) -> None:
    file = open_bytes(header.encode() + b"\n" + HIRE, "hired_employees")
    assert (file.has_header, file.labels) == (True, HIRES)


@pytest.mark.parametrize(
    "above",
    [
        "Headcount of 2021\n",
        "Headcount,,,,\n\n",
        "sep=;\n",
        "# exported by a tool, by hand\n",
        ",,,,\n,,,,\n",
        "Report\n" * 9,
    ],
)
def test_what_stands_above_the_header_is_passed_over_and_told(above: str) -> None:
    header = b"id,name,job_id,datetime,department_id\n"
    data = above.encode() + header + b"1,Ana,20,2021-01-01T00:00:00Z,10\n"
    file = open_bytes(data, "hired_employees")
    (record,) = file
    line = above.count("\n") + 2
    assert (record.line, record.row) == (line, 1)
    assert file.labels == ("id", "name", "job_id", "datetime", "department_id")
    told = [(warning.code, warning.line) for warning in file.warnings]
    assert told == [
        ("preamble", number) for number, text in enumerate(above.splitlines(), start=1) if text
    ]
    assert all(f"the header is on line {line - 1}" in each.message for each in file.warnings)


@pytest.mark.parametrize(
    ("data", "table"),
    [
        (b"Employee,Role,When,Dept,Position\n" + HIRE, "hired_employees"),
        (b"Report\n" * 10 + b"id,name,datetime,department_id,job_id\n" + HIRE, "hired_employees"),
        (b"nombre,apellido\nAna,Lopez\n", "departments"),
        (b"name;description\nSales;All of it\n", "jobs"),
        (b"{\n", "departments"),
    ],
)
def test_a_first_record_that_can_be_neither_header_nor_row_fails_the_file(
    data: bytes, table: str
) -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(data, table)
    assert caught.value.code == "unknown-header"
    assert "Line 1 is neither a header nor a row" in caught.value.detail
    assert "columns=LABEL:COLUMN" in caught.value.detail
    assert "header=absent" in caught.value.detail


def test_a_row_above_the_header_fails_the_file() -> None:
    with pytest.raises(FileError, match="line 1 above it could be a row") as caught:
        open_bytes(b"1,Sales\nid,department\n2,Legal\n")
    assert caught.value.code == "unknown-header"


def test_columns_says_what_labels_mean_and_which_to_pass_over() -> None:
    columns = {"Nr.": "id", "Wer": "name", "Wann": "datetime", "Abt": "department_id"}
    data = b"Wann,Nr.,Wer,job_id,abt,Notiz\n2021-01-01T00:00:00Z,1,Ana,20,10,x\n"
    file = open_bytes(data, "hired_employees", columns={**columns, "Notiz": ""})
    assert file.labels == ("datetime", "id", "name", "job_id", "department_id")
    assert [record.cells for record in file] == [("2021-01-01T00:00:00Z", "1", "Ana", "20", "10")]


def test_a_data_frame_s_index_is_ignored() -> None:
    file = open_bytes(b",id,department\n0,1,Sales\n1,2,Legal\n")
    assert file.labels == ("id", "department")
    assert [record.cells for record in file] == [("1", "Sales"), ("2", "Legal")]


@pytest.mark.parametrize(
    "data",
    [
        b"id,department,,\n1,Sales,,\n2,Legal, ,\n",
        b"id,department\n1,Sales,,\n2,Legal,,\n",
        b"1,Sales,,\n2,Legal,,\n",
    ],
)
def test_blank_columns_at_the_right_are_ignored(data: bytes) -> None:
    assert [record.cells for record in open_bytes(data)] == [("1", "Sales"), ("2", "Legal")]


def test_a_value_in_a_column_without_a_label_fails_the_file() -> None:
    data = b"id,department,\n" + ROW * 200 + b"1,Sales,East\n"
    for read in (list, lambda file: list(file.chunks())):
        with pytest.raises(FileError, match=r"[Ll]ine 202.*column 3") as caught:
            read(open_bytes(data.replace(b"1,Sales\n", b"1,Sales,\n")))
        assert caught.value.code == "blank-label"


def each_way(file_of: Callable[[], CsvFile]) -> list[list[tuple[int, int]]]:
    """Line and number of each record, as read one by one and many at once."""
    slow = [(record.line, record.row) for record in file_of()]
    fast = [
        (line, chunk.numbering.row(line))
        for chunk in file_of().chunks()
        for line in sorted([*chunk.lines.to_pylist(), *[each.line for each in chunk.flawed]])
    ]
    return [slow, fast]


@pytest.mark.parametrize("again", [b"id,department", b" ID,Department ", b'"id","department"'])
def test_the_header_again_in_mid_file_is_passed_over_and_no_row(again: bytes) -> None:
    data = b"id,department\n1,Sales\n" + again + b"\r\n\n2,Legal\n"
    for found in each_way(lambda: open_bytes(data)):
        assert found == [(2, 1), (5, 2)]


def test_a_header_in_another_order_in_mid_file_fails_the_file() -> None:
    data = b"id,department\n1,Sales\ndepartment,id\nLegal,2\n"
    for read_all in (list, lambda file: list(file.chunks())):
        with pytest.raises(FileError, match="Line 3 is a header in another order") as caught:
            read_all(open_bytes(data))
        assert caught.value.code == "incorrect-label"


def test_with_header_absent_a_header_in_mid_file_is_a_row() -> None:
    data = b"1,Sales\nid,department\n2,Legal\n"
    for found in each_way(lambda: open_bytes(data, header="absent")):
        assert found == [(1, 1), (2, 2), (3, 3)]
