"""Cancelling an upload, wherever its load stands: nothing is written."""

from typing import Any

import pytest

from muster.contracts.uploads import UNFINISHED, RowCounts, State
from muster.database import DatabaseUnavailable
from muster.weather import StoreUnavailable
from tests.unit.dbuploader.suite import Suite

JOBS = "9,Baker\n10,Cook\nx\n"


def cancel(suite: Suite, upload_id: str) -> None:
    suite.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)


def test_a_queued_upload_is_cancelled_at_once(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)
    cancel(suite, upload_id)

    suite.processor().cancel_queued()

    upload = suite.store.get(upload_id)
    assert (upload.state, upload.rows, upload.progress) == (State.CANCELLED, RowCounts(), 1.0)
    assert upload.finished_at is not None
    assert upload.announced
    assert suite.announced()[-1] == upload_id


def test_a_message_for_a_cancelled_upload_changes_nothing(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)
    cancel(suite, upload_id)
    suite.processor().cancel_queued()

    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.CANCELLED
    assert suite.announced().count(upload_id) == 1


def test_a_cancellation_that_was_not_announced_is_announced_by_its_message(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)
    cancel(suite, upload_id)

    def gone() -> None:
        raise StoreUnavailable("gone")

    suite.faulty_broker.before["publish"] = [gone]
    with pytest.raises(StoreUnavailable):
        suite.processor().cancel_queued()
    suite.processor().process_up_to(upload_id)

    assert suite.announced().count(upload_id) == 1


@pytest.mark.parametrize("state", [State.VALIDATING, State.LOADING])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_load_in_progress_is_rolled_back(suite: Suite, state: State, moment: str) -> None:
    upload_id = suite.accept("jobs", JOBS)

    def ask(**changes: Any) -> None:
        if changes.get("state") == state:
            cancel(suite, upload_id)

    getattr(suite.faulty_store, moment)["update"] = [ask] * 3
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.state == State.CANCELLED
    assert upload.rows.inserted == upload.rows.updated == upload.rows.unchanged == 0
    assert upload.rows.read == upload.rows.rejected + upload.rows.unprocessed
    if state == State.LOADING:
        assert upload.rows == RowCounts(read=3, rejected=1, unprocessed=2)
        assert len(suite.rejects(upload_id)) == 1
    assert suite.rows("jobs")[-1] == (3, "Editor")
    assert upload.announced


def test_a_load_that_waits_can_be_cancelled(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)

    def lose_the_database(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            suite.faulty_database.refused = [DatabaseUnavailable("gone")] * 3
        if changes.get("error") is not None:
            cancel(suite, upload_id)

    suite.faulty_store.before["update"] = [lose_the_database] * 4
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.CANCELLED


def test_a_load_that_waits_to_begin_again_can_be_cancelled(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)
    # Its loader was killed, so that nobody else cancels it.
    suite.store.update(upload_id, expect=UNFINISHED, state=State.VALIDATING)
    cancel(suite, upload_id)
    suite.faulty_database.refused = [DatabaseUnavailable("gone")]

    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert (upload.state, upload.rows) == (State.CANCELLED, RowCounts())
    assert upload.announced


def test_a_file_that_cannot_be_read_fails_though_it_is_being_cancelled(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "")

    def fail_then_cancel() -> None:
        suite.faulty_database.refused = [DatabaseUnavailable("gone")]
        cancel(suite, upload_id)

    suite.faulty_files.before["delete"] = [fail_then_cancel]
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "empty-file")


def test_a_cancellation_after_the_commit_is_too_late(suite: Suite) -> None:
    upload_id = suite.accept("jobs", JOBS)

    def ask(**changes: Any) -> None:
        if changes.get("state") == State.COMPLETED_WITH_REJECTS:
            cancel(suite, upload_id)

    suite.faulty_store.before["update"] = [ask] * 4
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.state == State.COMPLETED_WITH_REJECTS
    assert upload.rows == RowCounts(read=3, inserted=2, rejected=1)
