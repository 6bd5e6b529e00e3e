"""A file that does other than is expected loads nothing, and all that is wrong with it is told."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from dbuploader.db.schema import changes
from muster.contracts.uploads import RowCounts, State, Upload
from tests.unit.dbuploader.suite import Suite

# Two of the jobs that there are get other names, one is as it was, two are new, two are rejects.
FILE = "1,Cook\n2,Nurse\n3,Dyer\n4,Baker\n5,Farmer\nx,Odd\n,Blank\n"
UNLOADED = RowCounts(read=7, rejected=2, unprocessed=5)
WITHOUT = {
    "expect_rows": "7 rows were read and 8 expected (expect_rows)",
    "max_inserted": "2 of 7 rows would be inserted and at most 1 may be (max_inserted)",
    "max_updated": "2 of 7 rows would be updated and at most 20% may be (max_updated)",
}
UNMET: list[tuple[dict[str, Any], list[str]]] = [
    ({"expect_rows": 8}, ["expect_rows"]),
    ({"max_inserted": "1"}, ["max_inserted"]),
    ({"max_updated": "20%"}, ["max_updated"]),
    ({"expect_rows": 8, "max_inserted": "1", "max_updated": "20%"}, list(WITHOUT)),
]
MET: list[dict[str, Any]] = [
    {"expect_rows": 7},
    {"max_inserted": "2", "max_updated": "2"},
    {"max_inserted": "30%", "max_updated": "28.6%"},
]


def changes_made(suite: Suite) -> int:
    with suite.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(changes)) or 0


def assert_refused(suite: Suite, upload: Upload, names: list[str]) -> None:
    assert upload.state is State.FAILED
    assert upload.error is not None
    assert upload.error.code == "expectation"
    detail = "; ".join(WITHOUT[name] for name in names)
    assert upload.error.detail == f"{detail}. Nothing was loaded."
    assert (upload.rows, upload.change) == (UNLOADED, None)
    assert [reject.line for reject in suite.rejects(upload.id)] == [6, 7]
    assert sum(cause.rows for cause in upload.causes) == 2


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(("options", "names"), UNMET)
def test_a_file_that_does_other_than_expected_loads_nothing(
    suite: Suite, options: dict[str, Any], names: list[str], dry_run: bool
) -> None:
    before, made = suite.rows("jobs"), changes_made(suite)
    upload = suite.load("jobs", FILE, dry_run=dry_run, **options)
    assert_refused(suite, upload, names)
    assert (suite.rows("jobs"), changes_made(suite)) == (before, made)


@pytest.mark.parametrize("options", MET)
def test_a_file_that_does_no_more_than_expected_is_loaded(
    suite: Suite, options: dict[str, Any]
) -> None:
    assert suite.load("jobs", FILE, dry_run=True, **options).state is State.VALIDATED
    upload = suite.load("jobs", FILE, **options)
    assert upload.state is State.COMPLETED_WITH_REJECTS
    assert upload.rows == RowCounts(read=7, inserted=2, updated=2, unchanged=1, rejected=2)


def test_a_large_file_is_taken_back_before_it_is_committed(suite: Suite) -> None:
    numbers = range(1, 60_001)
    suite.load("jobs", "".join(f"{number},Job {number}\n" for number in numbers))
    before, made = suite.rows("jobs"), changes_made(suite)
    # As if all ids were given anew: each row is there already, with the name of another.
    shifted = "".join(f"{number},Job {number + 1}\n" for number in numbers)
    upload = suite.load("jobs", f"{shifted}x,Odd\n", max_updated="10%")
    assert upload.error is not None
    assert upload.error.code == "expectation"
    assert "60,000 of 60,001 rows would be updated and at most 10%" in upload.error.detail
    assert upload.rows == RowCounts(read=60_001, rejected=1, unprocessed=60_000)
    assert [reject.line for reject in suite.rejects(upload.id)] == [60_001]
    assert (suite.rows("jobs"), changes_made(suite)) == (before, made)
    assert suite.load("jobs", shifted, max_updated="100%").state is State.COMPLETED


def test_in_a_run_it_takes_no_other_along(suite: Suite) -> None:
    suite.limits = replace(suite.limits, uploads=64)
    ids = [
        suite.accept("jobs", "100,Baker\n"),
        suite.accept("jobs", FILE, max_inserted="1"),
        suite.accept("jobs", FILE, dry_run=True, max_updated="20%"),
        suite.accept("jobs", "4,Editor\n", max_inserted="1"),
    ]
    suite.processor().process_up_to(ids[0])
    first, refused, tried, last = (suite.store.get(upload_id) for upload_id in ids)
    assert_refused(suite, refused, ["max_inserted"])
    assert_refused(suite, tried, ["max_updated"])
    assert (first.state, last.state) == (State.COMPLETED, State.COMPLETED)
    assert [row[1] for row in suite.rows("jobs")] == ["Clerk", "Nurse", "Editor", "Editor", "Baker"]


def test_hires_that_were_not_expected_are_not_counted(suite: Suite) -> None:
    hires = "1,Ana,2021-01-02T03:04:05Z,1,1\n2,Bob,2021-01-02T03:04:05Z,1,1\n"
    assert suite.load("hired_employees", hires, max_inserted="1").state is State.FAILED
    assert suite.summary() == suite.expected_summary() == []
