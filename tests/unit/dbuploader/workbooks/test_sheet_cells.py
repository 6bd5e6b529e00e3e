"""What is read of each kind of cell."""

import string
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from dbuploader.workbooks.cells import (
    UNREADABLE,
    Cell,
    column_letters,
    column_number,
    line_of,
    text_of,
)
from tests.unit.dbuploader.workbooks.conftest import ReadLines
from tests.unit.dbuploader.workbooks.making import HIRES, SHEET, one_sheet, with_part, workbook

ROW = [1, "Ana", datetime(2021, 7, 27, 16, 2), 2, 3]


def first_cells(lines: list[str]) -> list[str]:
    """The second cell of each line after the header."""
    return [line.split("\t")[1] for line in lines[1:]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0012", "0012"),
        ("12", "12"),
        (" Ana  B ", " Ana  B "),
        ("Ünïcode 名 😀", "Ünïcode 名 😀"),
        ("#N/A is text", "#N/A is text"),
        ("TRUE", "TRUE"),
        ("one\ntwo", "one\vtwo"),
        ('say "hi"', '"say ""hi"""'),
        (12, "12"),
        (12.0, "12"),
        (12.5, "12.5"),
        (0.1, "0.1"),
        (-3, "-3"),
        (999_999_999_999_999, "999999999999999"),
        (1e20, "1e+20"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2021, 7, 27), "2021-07-27"),
        (datetime(2021, 7, 27), "2021-07-27"),
        (datetime(2021, 7, 27, 16, 2), "2021-07-27T16:02:00"),
        (datetime(2021, 7, 27, 16, 2, 8, 250_000), "2021-07-27T16:02:08.250"),
        (datetime(1900, 3, 1), "1900-03-01"),
        (datetime(1900, 2, 28), UNREADABLE + "1900-02-28"),
        (datetime(9999, 12, 31), "9999-12-31"),
        (time(16, 2), UNREADABLE + "16:02:00"),
        (timedelta(hours=30), UNREADABLE + "1 day, 6:00:00"),
        (None, ""),
        ("=1+1", ""),
    ],
)
def test_a_cell_of_each_kind(read_lines: ReadLines, value: Any, text: str) -> None:
    assert first_cells(read_lines(one_sheet([HIRES, [1, value, None, 2, 3]]))) == [text]


def test_a_tab_is_inside_quotes(read_lines: ReadLines) -> None:
    lines = read_lines(one_sheet([HIRES, [1, "a\tb", None, 2, 3]]))

    assert lines[1] == '1\t"a\tb"\t\t2\t3'


def test_the_value_that_a_formula_last_had_is_read(read_lines: ReadLines) -> None:
    content = with_part(
        one_sheet([HIRES, [1, "=1+1", None, 2, 3]]),
        SHEET,
        lambda xml: xml.replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>"),
    )

    assert first_cells(read_lines(content)) == ["2"]


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!"])
def test_an_error_is_told_from_a_blank_cell(read_lines: ReadLines, error: str) -> None:
    assert first_cells(read_lines(one_sheet([HIRES, [1, error, None, 2, 3]]))) == [
        UNREADABLE + error
    ]


def test_an_error_stands_in_its_own_place(read_lines: ReadLines) -> None:
    def put_in(sheet: Worksheet) -> None:
        for column, label in enumerate(HIRES, 3):
            sheet.cell(4, column, label)
            sheet.cell(6, column, 1)
        sheet["D6"] = "#REF!"

    lines = read_lines(one_sheet([], put_in))

    assert lines == ["", "", "", "\t".join(HIRES), "", f"1\t{UNREADABLE}#REF!\t1\t1\t1"]


def test_days_of_workbooks_that_count_from_1904(read_lines: ReadLines) -> None:
    def count_from_1904(book: Any) -> None:
        book.epoch = CALENDAR_MAC_1904

    content = workbook(
        {"Sheet1": [HIRES, [1, datetime(2021, 7, 27, 16, 2), None]]}, count_from_1904
    )

    assert b"date1904" in zip_part(content, "xl/workbook.xml")
    assert first_cells(read_lines(content)) == ["2021-07-27T16:02:00"]


def zip_part(content: bytes, name: str) -> bytes:
    found = b""

    def keep(data: bytes) -> bytes:
        nonlocal found
        found = data
        return data

    with_part(content, name, keep)
    return found


def test_of_merged_cells_the_first_has_the_value(read_lines: ReadLines) -> None:
    def merge(sheet: Worksheet) -> None:
        sheet.merge_cells("B2:C3")

    rows = [HIRES, [1, "Ana", None, 2, 3], [2, None, None, 2, 3]]

    assert read_lines(one_sheet(rows, merge))[1:] == ["1\tAna\t\t2\t3", "2\t\t\t2\t3"]


def test_hidden_rows_and_columns_are_read(read_lines: ReadLines) -> None:
    def hide(sheet: Worksheet) -> None:
        sheet.row_dimensions[2].hidden = True
        sheet.column_dimensions["D"].hidden = True

    assert read_lines(one_sheet([HIRES, ROW], hide))[1] == "1\tAna\t2021-07-27T16:02:00\t2\t3"


def test_empty_rows_are_empty_lines_and_the_last_column_is_that_of_the_first_rows(
    read_lines: ReadLines,
) -> None:
    rows: list[list[Any]] = [[], list(HIRES), [], [1, "Ana"]]
    rows += [[number, "Bo", None, 2, 3] for number in range(200)]
    rows.append([5, "Cy", None, 2, 3, None, "far"])

    lines = read_lines(one_sheet(rows))

    assert lines[0] == lines[2] == ""
    assert lines[3] == "1\tAna\t\t\t"
    assert lines[4] == "0\tBo\t\t2\t3"
    assert lines[-1] == "5\tCy\t\t2\t3\t\tfar"


_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from('\t"\n'),
    min_size=1,
    max_size=30,
).filter(
    # White space alone is a blank cell, whichever it is.
    lambda text: (
        text.strip()
        and "_x" not in text
        and text[0] not in "=#"
        and not set(text) & {"\ufffe", "\uffff"}
    )
)


@settings(max_examples=10)
@given(st.lists(_TEXTS, min_size=1, max_size=40))
def test_texts_come_through_exactly(texts: list[str]) -> None:
    lines = [line_of([text_of(text, counts_days=True), "1"], 2) for text in texts]

    for text, line in zip(texts, lines, strict=True):
        assert line.count(b"\n") == 1
        assert b"\r" not in line
        cell = line.decode().removesuffix("\t1\n")
        if cell.startswith('"') and ('"' in text or "\t" in text):
            cell = cell[1:-1].replace('""', '"')
        assert cell == text.replace("\n", "\v")


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_texts_of_a_workbook_come_through_exactly(
    read_lines: ReadLines, data: st.DataObject
) -> None:
    texts = data.draw(st.lists(_TEXTS, min_size=20, max_size=60))

    lines = read_lines(one_sheet([HIRES, *([1, text] for text in texts)]))

    wanted = [line_of([text_of(text, counts_days=True)], 1).decode()[:-1] for text in texts]
    assert first_cells_quoted(lines) == wanted


def first_cells_quoted(lines: list[str]) -> list[str]:
    return [line.removeprefix("1\t").removesuffix("\t\t\t") for line in lines[1:]]


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_each_second_of_a_day_comes_through(read_lines: ReadLines, data: st.DataObject) -> None:
    moments = data.draw(
        st.lists(
            st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(
                lambda moment: moment.replace(microsecond=0)
            ),
            min_size=200,
            max_size=300,
        )
    )

    lines = read_lines(one_sheet([HIRES, *([1, moment] for moment in moments)]))

    assert [datetime.fromisoformat(text) for text in first_cells(lines)] == moments


@pytest.mark.parametrize("value", [time(16, 2), timedelta(hours=1), date(1900, 2, 28)])
def test_what_is_no_value_of_any_column_is_marked(value: Cell) -> None:
    assert text_of(value, counts_days=True).startswith(UNREADABLE)


def test_a_format_that_writes_dates_out_may_have_older_ones() -> None:
    assert text_of(date(1900, 2, 28), counts_days=False) == "1900-02-28"


def test_letters_of_columns() -> None:
    assert [column_letters(number) for number in (0, 25, 26, 701, 702, 16383)] == [
        *("A", "Z", "AA", "ZZ", "AAA", "XFD")
    ]
    for letters in string.ascii_uppercase, ("AB", "ZZ", "XFD"):
        assert [column_letters(column_number(each)) for each in letters] == list(letters)
