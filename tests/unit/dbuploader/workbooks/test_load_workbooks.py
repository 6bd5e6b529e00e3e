"""Loading a workbook: as its sheet would load as CSV."""

import csv
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl.worksheet.worksheet import Worksheet

from dbuploader.uploads.run import first_run
from dbuploader.workbooks import process
from muster.contracts.rejects import SheetColumns, read_rejects
from muster.contracts.uploads import Cause, Failure, RowCounts, Source, State
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.workbooks import forms
from tests.unit.dbuploader.workbooks.making import Rows, one_sheet, typed, workbook

SAMPLES = Path(__file__).parents[4] / "samples"
DATA = Path(__file__).parent / "data"


def sample(table: str) -> bytes:
    """The sample of the table as somebody would type it into a workbook."""
    with (SAMPLES / f"{table}.csv").open(newline="") as file:
        rows = [[typed(cell) for cell in row] for row in csv.reader(file)]
    return one_sheet(rows)


def test_the_samples_load_as_from_csv(empty_suite: Suite) -> None:
    for table in ("departments", "jobs", "hired_employees"):
        first = empty_suite.load(table, sample(table), is_workbook=True)
        loaded = empty_suite.rows(table)

        again = empty_suite.load(table, (SAMPLES / f"{table}.csv").read_bytes())

        assert first.rows.inserted > 10
        assert again.rows == RowCounts(
            read=first.rows.read,
            unchanged=first.rows.inserted + first.rows.unchanged,
            rejected=first.rows.rejected,
        )
        assert [(cause.code, cause.rows) for cause in again.causes] == [
            (cause.code, cause.rows) for cause in first.causes
        ]
        assert empty_suite.rows(table) == loaded


def in_each_form(table: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The same rows as people have them, with the options that they need."""
    labels, own = forms.LABELS[table], forms.OWN_LABELS[table]
    columns = ",".join(f"{label}:{column}" for label, column in zip(own, labels, strict=True))
    yield (DATA / f"{table}.xlsx").read_bytes(), {"is_workbook": True}
    yield forms.as_workbook(table), {"is_workbook": True}
    yield forms.as_text(table, labels, ";", "cp1252"), {"encoding": "windows-1252"}
    yield forms.as_text(table, labels, "\t", "utf-8"), {}
    yield forms.as_text(table, own, ",", "utf-8"), {"columns": columns}


def test_twelve_departments_183_jobs_and_1929_of_1999_hires_load_in_each_form(
    empty_suite: Suite,
) -> None:
    for table, (loaded, rejected) in forms.COUNTS.items():
        (content, options), *others = in_each_form(table)
        first = empty_suite.load(table, content, **options)
        held, causes = empty_suite.rows(table), [*map(in_words, first.causes)]
        assert first.rows == RowCounts(loaded + rejected, inserted=loaded, rejected=rejected)

        for content, options in others:
            again = empty_suite.load(table, content, **options)
            counts = RowCounts(loaded + rejected, unchanged=loaded, rejected=rejected)
            assert (again.rows, [*map(in_words, again.causes)]) == (counts, causes)
        assert empty_suite.rows(table) == held
    assert {column: rows for _, column, rows in causes} == forms.BLANKS


def in_words(cause: Cause) -> tuple[str, str | None, int]:
    return cause.code, cause.column, cause.rows


def test_the_upload_and_its_rejects_say_where_they_were(suite: Suite) -> None:
    suite.seed()
    rows: Rows = [
        [],
        ["", "job_id", "name", "department_id", "datetime", "id"],
        ["", 1, "#REF!", 1, datetime(2021, 7, 27, 16, 2), 1],
        ["", 1, "Ana", 1, datetime(2021, 7, 27, 16, 2), 2],
        [],
        ["", 1, "Bo", "one", datetime(2021, 7, 27, 16, 2), 3],
    ]
    content = workbook({"Notes": [["Read the other one"]], "The hires": rows})

    upload = suite.load("hired_employees", content, is_workbook=True)

    assert upload.state is State.COMPLETED_WITH_REJECTS
    assert upload.source == Source("The hires")
    assert upload.rows == RowCounts(read=3, inserted=1, rejected=2)
    with suite.stores.files.open(upload.rejects_name) as stored:
        header, rejects = read_rejects(stored)
        found = [
            (reject.line, reject.row, reject.errors[0].code, header.cell_of(reject.line, error))
            for reject in rejects
            for error in reject.errors
        ]
    assert header.sheet == SheetColumns("The hires", ("B", "C", "D", "E", "F"))
    assert found == [
        (3, 1, "type-error", "'The hires'!C3"),
        (6, 3, "type-error", "'The hires'!D6"),
    ]
    assert {cause.column: cause.message for cause in upload.causes}["name"] == (
        "the cell shows the error #REF!: correct its formula, or write the value itself"
    )


def test_a_hidden_row_and_merged_cells_load_as_they_are_read(empty_suite: Suite) -> None:
    def change(sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.merge_cells("B3:B4")

    rows: Rows = [["id", "job"], [4, "Baker"], [5, "Cook"], [6, None]]
    upload = empty_suite.load("jobs", one_sheet(rows, change), is_workbook=True)

    assert upload.rows == RowCounts(read=3, inserted=2, rejected=1)
    assert empty_suite.rows("jobs") == [(4, "Baker"), (5, "Cook")]
    assert [(cause.column, cause.first_line) for cause in upload.causes] == [("job", 4)]


def test_a_column_without_a_label_between_others_fails_the_file(empty_suite: Suite) -> None:
    content = one_sheet([["id", None, "job"], [4, None, "Baker"]])

    upload = empty_suite.load("jobs", content, is_workbook=True)

    assert upload.error == Failure(
        "blank-label", "The header has no label for column 2. The columns of jobs are id, job."
    )


@pytest.mark.parametrize("value", ["#N/A", datetime(2021, 7, 27).time(), "a\nb", None])
def test_no_column_takes_what_is_no_value(suite: Suite, value: Any) -> None:
    for column in range(2):
        row: list[Any] = [4, "Baker"]
        row[column] = value

        upload = suite.load("jobs", one_sheet([["id", "job"], row]), is_workbook=True)

        assert upload.rows == RowCounts(read=1, rejected=1)


def test_a_csv_may_have_such_texts(suite: Suite) -> None:
    assert suite.load("jobs", "id,job\n4,#N/A\n").rows.inserted == 1


@pytest.mark.parametrize("options", [{"sheet": "Jobs"}])
def test_sheet_is_no_option_of_csv(suite: Suite, options: dict[str, Any]) -> None:
    upload = suite.load("jobs", "id,job\n4,Baker\n", **options)

    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "option-error")
    assert upload.source is None


def test_what_can_not_be_read_fails_at_the_first_attempt(suite: Suite) -> None:
    upload = suite.load("jobs", b"PK\x03\x04 and nothing more", is_workbook=True)

    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "workbook-damaged")
    assert suite.load("jobs", "id,job\n4,Baker\n").state is State.COMPLETED


def test_rejects_of_a_workbook_round_trip(suite: Suite) -> None:
    rows: Rows = [["id", "job"], [4, "a\tb"], [5, '"'], ["six", "Cook"]]
    first = suite.load("jobs", one_sheet(rows), is_workbook=True)

    again = suite.load("jobs", reject_csv(suite, first.id))

    assert [cause.code for cause in again.causes] == [cause.code for cause in first.causes]
    assert again.rows == RowCounts(read=2, rejected=2)


def reject_csv(suite: Suite, upload_id: str) -> str:
    lines = ["id,job,_line,_row,_code,_column,_message"]
    for reject in suite.rejects(upload_id):
        error = reject.errors[0]
        cells = ['"' + cell.replace('"', '""') + '"' for cell in reject.cells or ()]
        cells += [str(reject.line), str(reject.row), error.code, error.column or "", "x"]
        lines.append(",".join(cells))
    return "\n".join(lines)


def test_a_workbook_is_loaded_by_itself(suite: Suite) -> None:
    csv_id = suite.accept("jobs", "4,Baker\n")
    suite.accept("jobs", one_sheet([["id", "job"], [5, "Cook"]]), is_workbook=True)
    waiting = suite.store.unfinished(0, 10)

    assert [upload.id for upload in first_run(waiting, 64)] == [csv_id]
    assert first_run(waiting[1:], 64) == []


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The process that parses stops as soon as it runs; set once it has."""
    monkeypatch.setattr("dbuploader.uploads.progress._REPORT_SECONDS", 0.1)
    hangs = threading.Event()
    start = process.WorkbookProcess.__init__

    def start_and_stop(self: process.WorkbookProcess, *args: Any) -> None:
        start(self, *args)
        self._process.send_signal(signal.SIGSTOP)
        hangs.set()

    monkeypatch.setattr(process.WorkbookProcess, "__init__", start_and_stop)
    return hangs


def test_it_is_cancelled_while_its_process_works(suite: Suite, hanging: threading.Event) -> None:
    upload_id = suite.accept("jobs", one_sheet([["id", "job"], [5, "Cook"]]), is_workbook=True)
    loader = in_thread(lambda: suite.processor().process_up_to(upload_id))
    assert hanging.wait(60)

    suite.store.update(upload_id, expect={State.VALIDATING}, cancel_requested=True)

    loader.join(60)
    assert suite.store.get(upload_id).state is State.CANCELLED


def test_what_hangs_ends_when_its_time_is_up(suite: Suite, hanging: threading.Event) -> None:
    suite.limits = suite.limits.__class__(1024 * 1024, seconds=1)

    began = time.monotonic()
    upload = suite.load("jobs", one_sheet([["id", "job"], [5, "Cook"]]), is_workbook=True)

    assert hanging.is_set()
    assert upload.error is not None
    assert upload.error.code == "too-slow"
    assert time.monotonic() - began < 60


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
