"""A load works for so long at most, in all its attempts; waiting for a server is no work."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from dbuploader.merge.bulk import BulkMerge
from dbuploader.uploads.progress import TooSlow, WorkTime
from muster.contracts.uploads import RowCounts, State
from muster.database import Database, DatabaseUnavailable
from muster.weather import StoreUnavailable
from muster.worker.shutdown import Stopped
from tests.unit.dbuploader.suite import Killed, Suite, killed

Hook = Callable[..., None]
HIRES = "1,Ana,2021-07-27T16:02:08Z,1,2\nx\n2,Bo,2021-11-07T02:48:42Z,2,3\n"


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def after(self, seconds: float, then: Hook = lambda **_changes: None) -> Hook:
        """Something that takes so long."""

        def spend(**changes: Any) -> None:
            self.time += seconds
            then(**changes)

        return spend


@pytest.fixture
def clock(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of a suite whose loads may work for 100 seconds."""
    clock = Clock()
    suite.limits = replace(suite.limits, seconds=100)
    monkeypatch.setattr("dbuploader.uploads.processor.WorkTime", partial(WorkTime, clock=clock))
    return clock


def while_checking(*hooks: Hook) -> list[Hook]:
    """Before each pass over the file the ledger is read, and before the first twice."""
    return [_nothing, *(each for hook in hooks for each in (_nothing, hook))]


def _nothing() -> None:
    pass


def stopping(suite: Suite) -> Hook:
    def stop(**_changes: Any) -> None:
        suite.stop.set()

    return stop


def test_a_load_that_is_stopped_again_and_again_ends(suite: Suite, clock: Clock) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    behind = suite.accept("jobs", "9,Baker\n")
    for _ in range(3):
        suite.stop.clear()
        # While its file is read: at the end of the chunk the process is to stop.
        suite.faulty_database.before_read = while_checking(clock.after(30, stopping(suite)))
        with pytest.raises(Stopped):
            suite.processor().process_up_to(upload_id)
    suite.stop.clear()
    suite.faulty_database.before_read = while_checking(clock.after(30))

    suite.processor().process_up_to(behind)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "too-slow")
    assert "MUSTER_LOAD_SECONDS" in upload.error.detail
    assert "120 s" in upload.error.detail
    assert upload.rows == RowCounts(read=3, rejected=1, unprocessed=2)
    assert [reject.row for reject in suite.rejects(upload_id)] == [2]
    assert suite.rows("hired_employees") == []
    assert suite.store.get(behind).state == State.COMPLETED


def test_a_load_is_ended_while_the_database_works(
    suite: Suite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    merge = BulkMerge.finish

    def finish_late(self: BulkMerge) -> None:
        merge(self)
        clock.time += 101

    monkeypatch.setattr(BulkMerge, "finish", finish_late)

    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert upload.error.code == "too-slow"
    assert suite.rows("hired_employees") == []


@pytest.mark.parametrize("away", [DatabaseUnavailable("away"), StoreUnavailable("away")])
def test_a_server_that_is_away_takes_no_time_of_the_load(
    suite: Suite, clock: Clock, away: Exception
) -> None:
    upload_id = suite.accept("hired_employees", HIRES)

    def fail(**_changes: Any) -> None:
        raise away

    wait = clock.after(1000, fail)
    if isinstance(away, StoreUnavailable):
        suite.faulty_files.before["open"] = [wait, wait]
        suite.faulty_files.before["write"] = [wait, wait]
    else:
        # The pass is ended by it, and the next can't begin.
        suite.faulty_database.before_read = [*while_checking(wait), wait, wait]

    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED_WITH_REJECTS


def test_a_pass_that_ends_though_the_database_is_there_counts(suite: Suite, clock: Clock) -> None:
    upload_id = suite.accept("hired_employees", HIRES)

    def fail(**_changes: Any) -> None:
        raise DatabaseUnavailable("no answer in time")

    suite.faulty_database.before_read = while_checking(*[clock.after(60, fail)] * 9)

    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.error.code, clock.time) == ("too-slow", 120)


def test_the_time_is_kept_while_a_load_works(suite: Suite, clock: Clock) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    suite.faulty_database.before_read = while_checking(clock.after(50))
    suite.faulty_files.before["write"] = [killed]
    with pytest.raises(Killed):
        suite.processor().process_up_to(upload_id)
    suite.faulty_database.before_read = while_checking(clock.after(51))

    suite.processor().process_up_to(upload_id)

    error = suite.store.get(upload_id).error
    assert error is not None
    assert error.code == "too-slow"


def test_time_is_kept_every_ten_seconds_and_not_in_a_transaction_that_is_alone() -> None:
    clock = Clock()
    kept: list[float] = []
    work = WorkTime(100, kept.append, clock)
    work.resume(40)
    with work.running():
        for alone in (False, True):
            with work.writing(alone=alone):
                for _ in range(12):
                    clock.time += 1
                    work.check()
        work.check()
        clock.time = 61
        with pytest.raises(TooSlow):
            work.check()
    assert kept == [50, 64, 101]


def test_every_database_says_whether_it_is_written_to_alone(suite: Suite) -> None:
    database: Database = suite.database
    assert database.writes_alone == (database.engine.dialect.name == "sqlite")
