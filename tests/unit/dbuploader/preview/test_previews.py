"""What a preview says of the beginning of a file, whatever it is."""

import io
import threading
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from dbuploader.preview.model import Preview, PreviewProblem
from dbuploader.preview.previews import NoPlace, Previews
from dbuploader.workbooks.content import Wanted
from muster.contracts.tables import get_table
from muster.contracts.uploads import PREVIEW_BYTES, Options
from tests.unit.dbuploader.workbooks.making import HIRES, SHEET, one_sheet, with_part, workbook

MOST_UNPACKED = 16 * 1024**2
HEADER = ",".join(HIRES)
ROW = "1,Ana,2021-07-27T16:02:08Z,2,3"


def preview(
    content: bytes | str, table: str = "hired_employees", *, is_cut: bool = False, **options: Any
) -> Preview:
    data = content.encode() if isinstance(content, str) else content
    is_workbook = data.startswith(b"PK")
    wanted = Wanted(get_table(table), Options(**options), is_workbook)
    return Previews(MOST_UNPACKED).make(io.BytesIO(data), wanted, is_cut=is_cut)


def meanings(found: Preview) -> list[tuple[str | None, str | None]]:
    return [(column.label, column.column) for column in found.columns]


def values(found: Preview) -> list[list[Any]]:
    return [[cell.value for cell in row.cells] for row in found.rows]


def only(found: Preview, code: str) -> PreviewProblem:
    (problem,) = [each for each in found.problems if each.code == code]
    return problem


GOOD = [[1, "José", "2021-07-27T16:02:08Z", 2, 3]]
TEXT = f"{HEADER}\n1,José,2021-07-27T16:02:08Z,2,3\n"


@pytest.mark.parametrize(
    ("content", "options", "delimiter", "encoding"),
    [
        (TEXT.encode(), {}, ",", "utf-8"),
        (b"\xef\xbb\xbf" + TEXT.encode(), {}, ",", "utf-8"),
        (TEXT.replace(",", ";").encode(), {}, ";", "utf-8"),
        (TEXT.replace(",", "\t").encode("utf-16"), {}, "tab", "utf-16"),
        (TEXT.replace(",", ";").encode("cp1252"), {"encoding": "cp1252"}, ";", "windows-1252"),
        (TEXT.replace(",", "|").encode(), {"delimiter": "pipe"}, "pipe", "utf-8"),
        (TEXT.replace("\n", "\r\n").encode(), {"header": "present"}, ",", "utf-8"),
    ],
)
def test_what_is_found_and_the_values_as_the_api_has_them(
    content: bytes, options: dict[str, Any], delimiter: str, encoding: str
) -> None:
    found = preview(content, **options)

    assert (found.delimiter, found.encoding, found.header) == (delimiter, encoding, "present")
    assert meanings(found) == [(name, name) for name in HIRES]
    assert values(found) == GOOD
    assert (found.problems, found.read, found.sheets) == ((), 1, ())


def test_without_a_header_the_columns_are_in_order() -> None:
    found = preview(f"{ROW}\n" * 2, is_cut=True)

    assert found.header == "absent"
    assert meanings(found) == [(None, name) for name in HIRES]
    assert [row.line for row in found.rows] == [1, 2]


def test_titles_above_the_header_are_told_of() -> None:
    found = preview(f"Hires of 2021\n\n{HEADER}\n{ROW}\n")

    assert found.rows[0].line == 4
    assert only(found, "preamble").line == 1


def test_five_rows_are_shown_and_a_thousand_looked_at() -> None:
    rows = "".join(f"{number},Ana,2021-07-27,2,\n" for number in range(1, 2000))

    found = preview(f"{HEADER}\n{rows}")

    assert [row.cells[0].value for row in found.rows] == [1, 2, 3, 4, 5]
    problem = only(found, "constraint-error")
    assert (problem.column, problem.line, problem.rows, problem.fails) == ("job_id", 2, 1000, False)
    assert found.read == 1000


def test_a_cell_that_is_wrong_has_its_text_and_its_fault() -> None:
    cells = preview(f"{HEADER}\nx,,2021-07-27,2,3\n").rows[0].cells

    assert [(cell.text, cell.value) for cell in cells[:2]] == [("x", None), ("", None)]
    assert [cell.error.code for cell in cells[:2] if cell.error] == [
        *("type-error", "constraint-error")
    ]


OWN = "Nr;Full name;Start;Dept;Job;Remarks;_note\n1;Ana;2021-07-27;2;3;new;x\n"


def test_labels_of_ones_own_are_shown_to_be_told_what_they_mean() -> None:
    found = preview(OWN)

    problem = only(found, "unknown-header")
    assert problem.fails
    assert (found.header, found.delimiter) == (None, ";")
    assert meanings(found) == [
        ("Nr", None),
        ("Full name", "name"),
        ("Start", None),
        ("Dept", None),
        ("Job", None),
        ("Remarks", None),
        ("_note", ""),
    ]
    assert [cell.text for cell in found.rows[0].cells] == [
        *("1", "Ana", "2021-07-27", "2", "3", "new", "x")
    ]


def test_once_told_they_are_read() -> None:
    meant = "Nr:id,Start:datetime,Dept:department_id,Job:job_id,Remarks:"

    found = preview(OWN, columns=meant)

    assert (found.problems, found.header) == ((), "present")
    assert [column.column for column in found.columns] == [*HIRES, "", ""]
    assert values(found) == [[1, "Ana", "2021-07-27T00:00:00Z", 2, 3, None, None]]
    assert found.rows[0].cells[5].text == "new"


@pytest.mark.parametrize(
    ("header", "code", "column"),
    [
        (f"{HEADER},shoe size", "extra-label", None),
        ("id,name,datetime,department_id", "missing-label", "job_id"),
        (f"{HEADER},Job Id", "duplicate-label", "job_id"),
        ("id,name,,department_id,job_id", "blank-label", None),
    ],
)
def test_a_header_that_does_not_fit_is_shown(header: str, code: str, column: str | None) -> None:
    found = preview(f"{header}\n{ROW},9\n")

    problem = only(found, code)
    assert problem.fails
    assert column is None or column in problem.message
    assert found.header == "present"
    assert [column.label for column in found.columns] == header.split(",")


def test_a_row_of_another_table_is_neither_header_nor_row() -> None:
    found = preview("Ana,1\nBo,2\n")

    assert (found.header, found.problems[0].code) == (None, "unknown-header")
    assert [[cell.text for cell in row.cells][:2] for row in found.rows] == [
        ["Ana", "1"],
        ["Bo", "2"],
    ]


DATES = ("27/07/2021", "07/11/2021", "7/11/2021 4:02 PM", "2021-07-27", "31/31/2021", "")


def test_dates_in_an_unknown_order_are_shown_in_both_and_never_guessed() -> None:
    rows = "".join(f"{number},Ana,{date},2,3\n" for number, date in enumerate(DATES, 1))

    found = preview(f"{HEADER}\n{rows}")

    problem = only(found, "ambiguous-dates")
    assert (problem.column, problem.line, problem.rows) == ("datetime", 2, 3)
    assert [(each.line, each.text, each.dmy, each.mdy) for each in problem.readings] == [
        (2, "27/07/2021", "2021-07-27T00:00:00Z", None),
        (3, "07/11/2021", "2021-11-07T00:00:00Z", "2021-07-11T00:00:00Z"),
        (4, "7/11/2021 4:02 PM", "2021-11-07T16:02:00Z", "2021-07-11T16:02:00Z"),
    ]
    assert found.rows[1].cells[2].value is None
    # What is no date in any order is a fault of its own.
    assert only(found, "type-error").rows == 1
    chosen = preview(f"{HEADER}\n{rows}", dates="dmy")
    assert chosen.rows[1].cells[2].value == "2021-11-07T00:00:00Z"
    assert "ambiguous-dates" not in {each.code for each in chosen.problems}


def test_another_encoding_is_suspected_and_not_assumed() -> None:
    found = preview(f"{HEADER}\n1,José,2021-07-27,2,3\n".encode("cp1252"))

    problem = only(found, "encoding-error")
    assert (problem.line, problem.rows) == (2, 1)
    assert "José" in problem.message
    assert "windows-1252" in problem.message
    assert (found.rows[0].cells, found.rows[0].text) == ((), r"1,Jos\xe9,2021-07-27,2,3")
    misread = preview(f"{HEADER}\n1,JosÃ©,2021-07-27,2,3\n")
    assert only(misread, "misread-text").line == 2


def test_a_record_that_is_cut_is_no_problem() -> None:
    whole = f"{HEADER}\n" + f"{ROW}\n" * 3
    quoted = '9,"Ana\nof the\n'

    found = preview(whole + quoted + "hea", is_cut=True)

    assert (found.problems, found.read) == ((), 3)
    assert preview(f"{whole}9,Ana,20", is_cut=True).read == 3
    # Without the word that more follows, it is what it looks like.
    assert only(preview(whole + quoted), "quote-error").line == 5


def test_as_much_of_a_text_as_a_preview_reads_may_be_cut_anywhere() -> None:
    row = "1,José 名,2021-07-27T16:02:08Z,2,3\n"
    text = HEADER + "\n" + row * (PREVIEW_BYTES // 20)
    for encoding in ("utf-8", "utf-16"):
        for less in range(3):
            cut = text.encode(encoding)[: PREVIEW_BYTES - less]
            found = preview(cut, is_cut=True)
            assert (found.problems, found.read) == ((), 1000)
    one_line = preview(b"x" * PREVIEW_BYTES)
    assert {each.fails for each in one_line.problems} == {True}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing(content: bytes) -> None:
    found = preview(content)

    assert [(each.code, each.fails) for each in found.problems] == [("empty-file", True)]
    assert (found.columns, found.rows) == ((), ())


def test_a_line_of_delimiters_is_not_shown_whole() -> None:
    found = preview("a," * 30_000 + "\n" + "1," * 30_000)

    assert len(found.columns) == 200
    assert [len(row.cells) for row in found.rows] == [200]


def test_a_file_of_rejects_is_read_as_it_will_be() -> None:
    text = f"{HEADER},_line,_code,_spreadsheet\n1,'=Ana,2021-07-27,2,3,4,type-error,safe\n"

    assert values(preview(text))[0][:2] == [1, "=Ana"]


def test_a_header_in_another_order_later_fails_the_file() -> None:
    other = ",".join(reversed(HIRES))

    found = preview(f"{HEADER}\n{ROW}\n{other}\n")

    assert (found.problems[0].code, found.problems[0].fails) == ("incorrect-label", True)
    assert len(found.rows) == 1


def test_options_that_do_not_fit_the_file_are_told() -> None:
    assert only(preview(TEXT, sheet="A"), "option-error").fails
    assert only(preview(TEXT, delimiter="tab"), "unknown-header").fails


# Workbooks

HIRE = [1, "Ana", datetime(2021, 7, 27, 16, 2), 2.0, 3]


def test_a_workbook_shows_its_sheets_and_typed_cells() -> None:
    content = workbook({"Notes": [["Ask Ana"]], "Hires": [HIRES, HIRE], "Old": [HIRES, HIRE]})

    found = preview(content)

    assert (found.sheet, [sheet.name for sheet in found.sheets]) == (
        *("Hires", ["Notes", "Hires", "Old"]),
    )
    assert (found.encoding, found.delimiter, found.header) == (None, None, "present")
    assert values(found) == [[1, "Ana", "2021-07-27T16:02:00Z", 2, 3]]
    assert not only(found, "several-sheets").fails
    named = preview(content, sheet="Old")
    assert (named.sheet, named.problems) == ("Old", ())
    none = preview(content, sheet="Nobody's")
    assert (only(none, "sheet-error").fails, len(none.sheets)) == (True, 3)


def test_labels_of_a_workbook_are_shown_too() -> None:
    found = preview(one_sheet([["Nr", "Who", "When", "Dept", "Job"], HIRE]))

    assert found.problems[0].code == "unknown-header"
    assert meanings(found)[:2] == [("Nr", None), ("Who", None)]


def test_cells_without_a_value_say_so() -> None:
    found = preview(one_sheet([HIRES, ["=1+1", "#REF!", None, 2, 3]]))

    first, second = found.rows[0].cells[:2]
    assert (first.text, second.text) == ("", "#REF!")
    assert second.error is not None
    assert "#REF!" in second.error.message


def test_a_long_sheet_is_read_to_where_it_is_shown() -> None:
    found = preview(one_sheet([HIRES, *[[number, *HIRE[1:]] for number in range(1, 9000)]]))

    assert (found.read, found.problems) == (1000, ())


def test_a_bomb_and_a_broken_workbook_are_problems() -> None:
    good = one_sheet([HIRES, HIRE])
    bomb = with_part(good, SHEET, lambda xml: xml + b" " * (MOST_UNPACKED + 1))

    assert only(preview(bomb), "workbook-too-large").fails
    assert only(preview(good[:-200]), "workbook-damaged").fails


class Held(io.BytesIO):
    """A file that is not read before it is let go."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.asked, self.go = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked.set()
        assert self.go.wait(60)
        return super().read(size)


def test_two_workbooks_are_read_at_once_and_texts_wait_for_none() -> None:
    content = one_sheet([HIRES, HIRE])
    wanted = Wanted(get_table("hired_employees"), Options(), is_workbook=True)
    previews = Previews(MOST_UNPACKED, place_seconds=0.01)
    held = [Held(content), Held(content)]
    threads = [
        threading.Thread(target=previews.make, args=(file, wanted), kwargs={"is_cut": False})
        for file in held
    ]
    with ExitStack() as ending:
        for thread, file in zip(threads, held, strict=True):
            thread.start()
            ending.callback(thread.join)
            ending.callback(file.go.set)
            assert file.asked.wait(60)

        with pytest.raises(NoPlace):
            previews.make(io.BytesIO(content), wanted, is_cut=False)
        text = previews.make(
            io.BytesIO(TEXT.encode()), wanted._replace(is_workbook=False), is_cut=False
        )
        assert text.read == 1
    assert previews.make(io.BytesIO(content), wanted, is_cut=False).read == 1
