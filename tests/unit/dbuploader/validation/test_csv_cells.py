"""What a cell of each type may hold."""

from datetime import datetime

import pytest

from dbuploader.validation.rows import parse_cell
from dbuploader.validation.types.cells import CellProblem, Value
from muster.contracts.tables import Column, get_table
from muster.contracts.uploads import DateOrder

INTEGER, NAME, DATETIME, DEPARTMENT, _ = get_table("hired_employees").columns
NO_BREAK_SPACE, ZERO_WIDTH_SPACE = "\u00a0", "\u200b"


def problem(column: Column, text: str, dates: DateOrder = "iso") -> CellProblem:
    with pytest.raises(CellProblem) as caught:
        parse_cell(column, text, dates)
    return caught.value


@pytest.mark.parametrize("column", [INTEGER, NAME, DATETIME])
@pytest.mark.parametrize("text", ["", " ", "\t\x0b\x0c \r\n"])
def test_a_blank_cell_is_a_constraint_error(column: Column, text: str) -> None:
    assert problem(column, text).code == "constraint-error"
    assert f"{column.name} is required" in problem(column, text).message


@pytest.mark.parametrize("column", [INTEGER, NAME, DATETIME])
@pytest.mark.parametrize(
    "text", [NO_BREAK_SPACE, f" {NO_BREAK_SPACE}\t", "\u2003\u2028", "\u3000", ZERO_WIDTH_SPACE]
)
def test_white_space_of_any_kind_is_blank_and_shown(column: Column, text: str) -> None:
    error = problem(column, text)
    shown = "".join(
        f"\\x{ord(each):x}" if each < "\u0100" else f"\\u{ord(each):04x}"
        for each in text.strip(" \t")
    )
    assert error.code == "constraint-error"
    assert error.message == f'"{shown}" is blank: {column.name} is required'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("+7", 7),
        ("007", 7),
        (" 42\t", 42),
        ("2147483647", 2147483647),
        ("0" * 5000 + "5", 5),
        ("12.0", 12),
        ("+12.000", 12),
        (" 12.0 ", 12),
    ],
)
def test_an_integer_is_digits_with_an_optional_sign(text: str, value: int) -> None:
    assert parse_cell(INTEGER, text) == value


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "1.01",
        "1.",
        ".0",
        "1.0.0",
        "1,0",
        "1.0e0",
        "1e3",
        "1_000",
        "٤٢",
        "\uff14\uff12",
        "²",
        "0x1",
        "--1",
        "+",
        "1 2",
        "\u00a01",
        "1\x00",
        "NaN",
    ],
)
def test_what_is_no_integer_is_a_type_error(text: str) -> None:
    assert problem(INTEGER, text).code == "type-error"


def test_an_id_of_another_table_is_asked_for_by_its_name() -> None:
    message = (
        '"Sales" is not an integer: department_id takes the id of a row of departments, such as 42'
    )
    assert problem(DEPARTMENT, "Sales").message == message


@pytest.mark.parametrize(
    "text", ["0", "0.0", "-0", "-1", "2147483648", "9" * 5000, "-" + "9" * 5000]
)
def test_an_integer_out_of_range_is_a_constraint_error(text: str) -> None:
    assert problem(INTEGER, text).code == "constraint-error"


@pytest.mark.parametrize("text", ["x", "x" * 255, "🙂" * 255, "a\u00a0", "Zoë", "e\u0308", "a  b"])
def test_a_string_is_stored_as_it_came(text: str) -> None:
    assert parse_cell(NAME, text) == text


def test_a_string_is_trimmed_of_ascii_white_space() -> None:
    assert parse_cell(NAME, "\t Ana Gil \n") == "Ana Gil"


@pytest.mark.parametrize("text", ["x" * 256, "a\0b", "a\tb", "a\nb", "\x1bx", "a\x7f", "a\x85"])
def test_a_string_too_long_or_with_a_control_character_is_a_constraint_error(text: str) -> None:
    assert problem(NAME, text).code == "constraint-error"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2021-11-07T02:48:42Z", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07t02:48:42z", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07 02:48:42", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07T02:48:42.5Z", datetime(2021, 11, 7, 2, 48, 42, 500_000)),
        ("2021-11-07T02:48:42.000001", datetime(2021, 11, 7, 2, 48, 42, 1)),
        ("2021-12-31T23:30:00-01:00", datetime(2022, 1, 1, 0, 30)),
        ("2021-01-01T00:30:00+05:30", datetime(2020, 12, 31, 19, 0)),
        ("2021-01-01T00:00:00-00:00", datetime(2021, 1, 1)),
        ("2020-02-29T00:00:00Z", datetime(2020, 2, 29)),
        ("1000-01-01T00:00:00Z", datetime(1000, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999)),
        ("2021-11-07", datetime(2021, 11, 7)),
        ("2021/07/27", datetime(2021, 7, 27)),
        ("2021-7-2", datetime(2021, 7, 2)),
        ("2021/7/27 16:02", datetime(2021, 7, 27, 16, 2)),
        ("2021-11-07T02:48", datetime(2021, 11, 7, 2, 48)),
        ("2021-11-07 02:48Z", datetime(2021, 11, 7, 2, 48)),
        ("2021-11-07T02:48:42 Z", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07 02:48:42 UTC", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07 02:48:42UTC", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07 02:48:42.000000000 UTC", datetime(2021, 11, 7, 2, 48, 42)),
        ("2021-11-07T02:48:42.1234560000", datetime(2021, 11, 7, 2, 48, 42, 123_456)),
        ("2021-11-07T02:48:42+0100", datetime(2021, 11, 7, 1, 48, 42)),
        ("2021-11-07T02:48:42 +01", datetime(2021, 11, 7, 1, 48, 42)),
        ("2021-11-07 02:48 -01:30", datetime(2021, 11, 7, 4, 18)),
        ("2021-11-07 02:48-01", datetime(2021, 11, 7, 3, 48)),
    ],
)
def test_a_datetime_that_can_be_read_in_one_way_is_turned_into_utc(
    text: str, value: datetime
) -> None:
    for dates in ("iso", "dmy", "mdy"):
        assert parse_cell(DATETIME, text, dates) == value


@pytest.mark.parametrize(
    ("text", "dates", "value"),
    [
        ("27/07/2021 16:02", "dmy", datetime(2021, 7, 27, 16, 2)),
        ("3/7/2021", "dmy", datetime(2021, 7, 3)),
        ("3/7/2021", "mdy", datetime(2021, 3, 7)),
        ("27.07.2021", "dmy", datetime(2021, 7, 27)),
        ("27-07-2021 16:02:08.5+02", "dmy", datetime(2021, 7, 27, 14, 2, 8, 500_000)),
        ("7/27/2021 4:02 PM", "mdy", datetime(2021, 7, 27, 16, 2)),
        ("7/27/2021 12:00 am", "mdy", datetime(2021, 7, 27)),
        ("7/27/2021 12:30:15PM UTC", "mdy", datetime(2021, 7, 27, 12, 30, 15)),
    ],
)
def test_day_and_month_stand_in_the_order_that_the_uploader_says(
    text: str, dates: DateOrder, value: datetime
) -> None:
    assert parse_cell(DATETIME, text, dates) == value
    message = f'"{text}" does not say which is the day and which the month'
    assert problem(DATETIME, text).code == "type-error"
    assert problem(DATETIME, text).message.startswith(message)
    assert "dates=dmy or dates=mdy" in problem(DATETIME, text).message


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("2021-13-01T00:00:00Z", "is no real date: there is no month 13"),
        ("2021-00-01", "is no real date: there is no month 0"),
        ("2021-06-31", "is no real date: June 2021 has no day 31"),
        ("2021-02-29T00:00:00Z", "is no real date: February 2021 has no day 29"),
        ("2021-06-00", "is no real date: June 2021 has no day 0"),
        ("2021-11-07T24:00:00Z", "is no real time of day: there is no hour 24"),
        ("2021-11-07 25:00", "is no real time of day: there is no hour 25"),
        ("2021-11-07T02:60:00Z", "is no real time of day: there is no minute 60"),
        ("2021-11-07T02:48:60Z", "is no real time of day: there is no second 60"),
        ("2021-11-07T02:48:42+24:00", "has no real offset from UTC: there is no +24:00"),
        ("2021-11-07T02:48:42-0160", "has no real offset from UTC: there is no -01:60"),
        (
            "2021-11-07T02:48:42.1234567Z",
            "is too exact: after 6 digits of a fraction of a second there may be zeros only",
        ),
        ("27/07/21", "has a year of two digits: write four, as in 2021-11-07T02:48:42Z"),
    ],
)
def test_the_message_says_which_part_of_a_datetime_is_wrong(text: str, wrong: str) -> None:
    assert problem(DATETIME, text).message == f'"{text}" {wrong}'
    assert problem(DATETIME, text).code == "type-error"


@pytest.mark.parametrize(
    ("text", "dates", "wrong"),
    [
        ("07/27/2021", "dmy", "there is no month 27 (dates=dmy: the day stands first)"),
        ("27.07.2021", "mdy", "there is no month 27 (dates=mdy: the month stands first)"),
        ("7/27/2021 13:00 PM", "mdy", "no hour 13 PM (dates=mdy: the month stands first)"),
        ("7/27/2021 0:15 AM", "mdy", "no hour 0 AM (dates=mdy: the month stands first)"),
    ],
)
def test_the_message_says_in_which_order_a_date_was_read(
    text: str, dates: DateOrder, wrong: str
) -> None:
    assert problem(DATETIME, text, dates).message.endswith(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "2021-02-29T00:00:00Z",
        "2021-04-31T00:00:00Z",
        "2021-11-07T",
        "2021-11-07Z",
        "2021-11-07+01:00",
        "2021-11/07",
        "2021.11.07",
        "21-11-07",
        "2021-11-07T2:48",
        "2021-11-07 02:48 PM",
        "2021-11-07T02",
        "2021-11-07T02:48.5",
        "2021-11-07T02:48:42.Z",
        "2021-11-07T02:48:42,5Z",
        "2021-11-07T02:48:42+1",
        "2021-11-07T02:48:42  Z",
        "2021-11-07T02:48:42 CET",
        "2021-11-07  02:48:42",
        "2021-11-07x02:48:42Z",
        "2021-W45-1T02:48:42Z",
        "20211107T024842Z",
        "2021-311T02:48:42Z",
        "07/11/2021 02:48:42",
        "٢٠٢١-11-07T02:48:42Z",
        "yesterday",
    ],
)
def test_what_is_no_real_datetime_is_a_type_error(text: str) -> None:
    assert problem(DATETIME, text).code == "type-error"


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0999-12-31T23:59:59Z",
        "1000-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_a_datetime_out_of_the_years_1000_to_9999_is_a_constraint_error(text: str) -> None:
    assert problem(DATETIME, text).code == "constraint-error"


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        (INTEGER, "1.5", '"1.5" is not an integer: write digits only, such as 42'),
        (INTEGER, "1\u200b", '"1\\u200b" is not an integer: write digits only, such as 42'),
        (INTEGER, "x" * 50, f'"{"x" * 40}…" is not an integer: write digits only, such as 42'),
        (INTEGER, "0", '"0" is out of range: write a number from 1 to 2147483647'),
        (NAME, "a\x1bb", '"a\\x1bb" holds a control character or a line end: take it out'),
        (
            DATETIME,
            "today",
            '"today" is not a date with a time of day: write it as 2021-11-07T02:48:42Z',
        ),
    ],
)
def test_a_message_says_what_is_wrong_and_what_to_do(
    column: Column, text: str, message: str
) -> None:
    assert problem(column, text).message == message


def test_values_are_of_the_types_the_database_takes() -> None:
    values: list[Value] = [
        parse_cell(INTEGER, "1"),
        parse_cell(NAME, "x"),
        parse_cell(DATETIME, "2021-11-07T02:48:42+01:00"),
    ]
    assert [type(value) for value in values] == [int, str, datetime]
    assert isinstance(values[2], datetime)
    assert values[2].tzinfo is None
