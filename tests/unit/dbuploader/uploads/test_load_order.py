"""Uploads are loaded in the order of their acceptance, however messages come."""

import pytest

from muster.contracts.uploads import RowCounts, State
from muster.uploadstore import UploadNotFound
from tests.unit.dbuploader.suite import Suite


def test_hires_see_departments_accepted_before_them(empty_suite: Suite) -> None:
    suite = empty_suite
    suite.accept("departments", "1,Sales\n")
    suite.accept("jobs", "1,Clerk\n")
    hires = suite.accept("hired_employees", "1,Ana,2021-07-27T16:02:08Z,1,1\n")

    suite.processor().process_up_to(hires)

    assert suite.store.get(hires).rows == RowCounts(read=1, inserted=1)


def test_hires_do_not_see_departments_accepted_after_them(suite: Suite) -> None:
    hires = suite.accept("hired_employees", "1,Ana,2021-07-27T16:02:08Z,7,1\n")
    departments = suite.accept("departments", "7,Late\n")

    suite.processor().process_up_to(hires)

    assert suite.store.get(hires).rows == RowCounts(read=1, rejected=1)
    assert suite.store.get(departments).state == State.QUEUED


def test_the_later_upload_wins(suite: Suite) -> None:
    first = suite.accept("jobs", "9,Baker\n")
    second = suite.accept("jobs", "9,Cook\n")

    for upload_id in (second, first, second):
        suite.processor().process_up_to(upload_id)

    assert suite.rows("jobs")[-1] == (9, "Cook")
    assert suite.announced()[-2:] == [first, second]


def test_an_unknown_upload_is_told(suite: Suite) -> None:
    with pytest.raises(UploadNotFound):
        suite.processor().process_up_to("absent")


def test_the_end_is_announced_with_the_trace_of_the_upload(suite: Suite) -> None:
    upload = suite.load("jobs", "9,Baker\n")

    key, message, headers = suite.broker.published[-1]
    assert key == "upload.finished"
    assert (message["upload_id"], message["state"]) == (upload.id, "completed")
    assert headers == {"X-Request-Id": upload.request_id, "traceparent": upload.traceparent}


def test_progress_never_goes_back_and_ends_at_one(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbuploader.uploads.progress._REPORT_SECONDS", 0)
    upload_id = suite.accept("jobs", "".join(f"{key},Job\n" for key in range(4, 30_000)))
    seen: list[float] = []

    def look(**_changes: object) -> None:
        seen.append(suite.store.get(upload_id).progress)

    suite.faulty_store.after["update"] = [look] * 1000
    suite.processor().process_up_to(upload_id)

    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert seen[-1] == 1.0
