"""Checking whole rows, of files and of JSON batches."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbuploader.batches.rows import check_object
from dbuploader.csvfile.model import Record
from dbuploader.validation.rows import Row, RowChecker, parse_cell
from dbuploader.validation.types.cells import CellProblem, Value
from muster.contracts.rejects import CellError, Reject
from muster.contracts.tables import get_table
from tests.unit.dbuploader.csvfile.reading import check, read

HIRES = get_table("hired_employees")
GOOD = ("1", "Ana", "2021-11-07T02:48:42Z", "2", "3")
VALUES = (1, "Ana", datetime(2021, 11, 7, 2, 48, 42), 2, 3)


def test_a_good_row_has_its_place_its_values_and_its_cells() -> None:
    data = ("\n" + ",".join(GOOD)).encode()
    assert check(data, "hired_employees") == [Row(2, 1, VALUES, GOOD)]


def test_all_errors_of_a_row_come_in_the_declared_order() -> None:
    data = b"job_id,name,id,datetime,department_id\nx,,1.5,never,0\n"
    (reject,) = check(data, "hired_employees")
    assert isinstance(reject, Reject)
    assert [(error.column, error.code) for error in reject.errors] == [
        ("id", "type-error"),
        ("name", "constraint-error"),
        ("datetime", "type-error"),
        ("department_id", "constraint-error"),
        ("job_id", "type-error"),
    ]
    assert (reject.line, reject.row) == (2, 1)
    assert reject.cells == ("x", "", "1.5", "never", "0")


def test_a_record_that_could_not_be_split_is_its_own_reject() -> None:
    data = b'1,"Sales\n2,Legal\n'
    first, second = check(data)
    record = read(data)[0]
    assert first == Reject(1, 1, None, '1,"Sales', record.errors)
    assert isinstance(second, Row)


def test_results_come_in_the_order_of_the_records() -> None:
    lines = [f"{number},{'' if number % 7 == 0 else 'x'}" for number in range(1, 1000)]
    results = check("\n".join(lines).encode())
    assert [result.row for result in results] == list(range(1, 1000))
    assert [result.row for result in results if isinstance(result, Reject)] == list(
        range(7, 1000, 7)
    )


def test_one_record_checks_as_many_do() -> None:
    checker = RowChecker(HIRES, HIRES.column_names)
    assert checker.check(Record(1, 1, GOOD, None, ())) == Row(1, 1, VALUES, GOOD)
    rejected = checker.check(Record(1, 1, ("x", *GOOD[1:]), None, ()))
    assert isinstance(rejected, Reject)


COMMON = {
    "integer": ["1", "42", "2147483647", "2147483648", "0", "+5", " 7", "", "x", "٣", "9" * 30],
    "string": ["Ana", " Bo ", "", "\u00a0", "Zoë", "x" * 256, "a\0", "\x0b", "a\tb", "\u2028"],
    "datetime": [
        "2021-11-07T02:48:42Z",
        "2021-11-07 02:48:42z",
        "2021-11-07T02:48:42",
        "2021-11-07T02:48:42+01:00",
        "2021-02-30T02:48:42Z",
        "0999-01-01T00:00:00Z",
        "2021-W45-1T02:48:42Z",
        "2021-11-07T24:00:00Z",
        "2021-11-07T02:48:42 ",
        " 2021-11-07T02:48:42",
        "2021-11-07T02:48:42.12",
        "2021-11-07é02:48:42",
    ],
}


def one_by_one(cells: tuple[str, ...]) -> tuple[Value, ...] | tuple[CellError, ...]:
    values: list[Value] = []
    errors: list[CellError] = []
    for column, text in zip(HIRES.columns, cells, strict=True):
        try:
            values.append(parse_cell(column, text))
        except CellProblem as problem:
            errors.append(CellError(problem.code, column.name, problem.message))
    return tuple(errors) or tuple(values)


rows = st.lists(
    st.tuples(
        *(
            st.one_of(st.just(COMMON[column.type][0]), st.sampled_from(COMMON[column.type]))
            | st.text(max_size=30)
            for column in HIRES.columns
        )
    ),
    min_size=1,
    max_size=8,
)


@given(rows)
def test_checking_many_rows_at_once_finds_what_checking_each_cell_finds(
    rows: list[tuple[str, ...]],
) -> None:
    records = [Record(number, number, cells, None, ()) for number, cells in enumerate(rows, 1)]
    results = list(map(RowChecker(HIRES, HIRES.column_names).check, records))
    found = [result.values if isinstance(result, Row) else result.errors for result in results]
    assert found == [one_by_one(cells) for cells in rows]


@pytest.mark.parametrize("text", [text for texts in COMMON.values() for text in texts])
def test_a_column_of_one_kind_of_cell_is_checked_as_its_cells_are(text: str) -> None:
    cells = (text,) * len(HIRES.columns)
    records = [Record(number, number, cells, None, ()) for number in range(1, 4)]
    for result in map(RowChecker(HIRES, HIRES.column_names).check, records):
        assert isinstance(result, Reject)
        assert result.errors == one_by_one(cells)


def test_an_object_has_its_values_in_the_declared_order() -> None:
    fields = {"job_id": 3, "name": "Ana", "id": 1, "datetime": GOOD[2], "department_id": "2"}
    assert check_object(HIRES, 1, fields) == VALUES


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("id", None, "constraint-error"),
        ("id", 0, "constraint-error"),
        ("id", 10**4000, "constraint-error"),
        ("id", 1.0, "type-error"),
        ("id", True, "type-error"),
        ("id", "1.5", "type-error"),
        ("id", [1], "type-error"),
        ("name", 5, "type-error"),
        ("name", "", "constraint-error"),
        ("name", "\ud800", "encoding-error"),
        ("datetime", "7/11/2021", "type-error"),
        ("datetime", 20211107, "type-error"),
        ("salary", 1, "extra-cell"),
    ],
)
def test_a_field_of_an_object_is_checked_as_a_cell_is(field: str, value: object, code: str) -> None:
    fields = dict(zip(HIRES.column_names, GOOD, strict=True)) | {field: value}
    errors = check_object(HIRES, 1, fields)
    assert isinstance(errors, list)
    assert [(error.column, error.code) for error in errors] == [(field, code)]


def test_an_object_without_a_field_lacks_it() -> None:
    errors = check_object(get_table("departments"), 3, {"id": "x"})
    assert isinstance(errors, list)
    assert [(error.column, error.code) for error in errors] == [
        ("id", "type-error"),
        ("department", "missing-cell"),
    ]
    assert errors[1].message == "row 3 lacks department: add it"
