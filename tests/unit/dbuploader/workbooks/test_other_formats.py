"""The same sheet as other programs write it: see data/README.md."""

from pathlib import Path

import pytest

from dbuploader.csvfile.model import FileError
from dbuploader.workbooks.cells import UNREADABLE
from tests.unit.dbuploader.workbooks.conftest import ReadLines
from tests.unit.dbuploader.workbooks.making import HIRES

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_as_libreoffice_writes_it(read_lines: ReadLines, kind: str) -> None:
    lines = read_lines((DATA / f"typed.{kind}").read_bytes())

    assert lines[0].split("\t") == list(HIRES)
    assert lines[1] == "1\t0012\t2021-07-27T16:02:00\t12\t3"
    assert lines[2] == "2\tone\vtwo\t2021-07-27\t12.5\t0.1"
    assert lines[3] == ""
    assert lines[4].split("\t")[1:3] == ["Ana", UNREADABLE + "16:02:00"]
    # The error of a formula, which .xls and .ods have no mark for that could be read.
    assert lines[4].split("\t")[3] == (UNREADABLE + "#DIV/0!" if kind == "xlsx" else "")


def test_xlsb(read_lines: ReadLines) -> None:
    lines = read_lines((DATA / "base.xlsb").read_bytes())

    assert lines[0] == ""
    assert lines[1].split("\t")[:7] == [
        *("String", "1", "1.1", "TRUE", "FALSE", "2010-10-10", "2010-10-10T10:10:10")
    ]
    assert lines[1].split("\t")[7].startswith(UNREADABLE)


def test_a_tab_that_would_be_left_out_of_an_ods(read_lines: ReadLines) -> None:
    with pytest.raises(FileError) as failed:
        read_lines((DATA / "tab.ods").read_bytes())

    assert failed.value.code == "workbook-damaged"
    assert "tab" in failed.value.detail
