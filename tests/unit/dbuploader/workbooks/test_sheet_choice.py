"""Which sheet of a workbook is read."""

from typing import Any

import pytest
from openpyxl import Workbook

from dbuploader.csvfile.model import FileError
from tests.unit.dbuploader.workbooks.conftest import ReadLines
from tests.unit.dbuploader.workbooks.making import HIRES, one_sheet, workbook

NOTES = [["These are the hires of 2021"], [], ["Ask Ana"]]
FIRST = "id\tname\tdatetime\tdepartment_id\tjob_id"


def hires(name: str) -> list[list[Any]]:
    return [list(HIRES), [1, name, "2021-07-27", 2, 3]]


def test_the_first_with_a_header_of_the_table(read_lines: ReadLines) -> None:
    content = workbook({"Notes": NOTES, "Hires": hires("Ana"), "Old": hires("Bo")})

    assert read_lines(content)[1].split("\t")[1] == "Ana"


def test_its_header_may_have_other_labels(read_lines: ReadLines) -> None:
    content = workbook({"Notes": NOTES, "Jobs": [["Title"], [], ["Nr", "Job"], [1, "Nurse"]]})

    assert read_lines(content, "jobs", columns="Nr:id")[0] == "Title\t"


def test_without_any_header_the_first_that_is_not_empty(read_lines: ReadLines) -> None:
    content = workbook({"Empty": [], "Hires": hires("Ana")[1:], "Old": hires("Bo")[1:]})

    assert [line.split("\t")[1] for line in read_lines(content)] == ["Ana"]


def test_none_is_sought_where_there_is_said_to_be_none(read_lines: ReadLines) -> None:
    content = workbook({"Hires": hires("Ana")[1:], "Old": hires("Bo")})

    assert len(read_lines(content, header="absent")) == 1


def test_a_hidden_sheet_is_read_only_by_its_name(read_lines: ReadLines) -> None:
    def hide(book: Workbook) -> None:
        book["Old"].sheet_state = "hidden"

    content = workbook({"Old": hires("Bo"), "Hires": hires("Ana")}, hide)

    assert "Ana" in read_lines(content)[1]
    assert "Bo" in read_lines(content, sheet="Old")[1]


def test_the_one_that_is_named(read_lines: ReadLines) -> None:
    content = workbook({"Hires": hires("Ana"), "Old's & more": hires("Bo")})

    assert "Bo" in read_lines(content, sheet="Old's & more")[1]


def failure(read_lines: ReadLines, content: bytes, **options: Any) -> FileError:
    with pytest.raises(FileError) as failed:
        read_lines(content, **options)
    return failed.value


def test_an_unknown_name_is_answered_with_those_there_are(read_lines: ReadLines) -> None:
    error = failure(read_lines, workbook({"A": NOTES, "B": NOTES}), sheet="C")

    assert error.code == "sheet-error"
    assert "'C'" in error.detail
    assert "A, B" in error.detail


def test_a_workbook_without_a_value(read_lines: ReadLines) -> None:
    assert failure(read_lines, one_sheet([])).code == "empty-file"


@pytest.mark.parametrize("options", [{"delimiter": ";"}, {"encoding": "utf-8"}])
def test_options_of_csv_are_refused(read_lines: ReadLines, options: dict[str, str]) -> None:
    assert failure(read_lines, one_sheet(hires("Ana")), **options).code == "option-error"
