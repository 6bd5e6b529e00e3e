"""Kills, lost answers and second loaders at every point: the rows are there once."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from sqlalchemy import event

from muster.contracts.uploads import RowCounts, State
from muster.database import DatabaseUnavailable
from muster.weather import StoreUnavailable
from tests.unit.dbuploader.suite import Killed, Suite, killed

HIRES = "1,Ana,2021-07-27T16:02:08Z,1,2\n2,Bo,2021-11-07T02:48:42Z,2,3\nx\n"
BEGINNINGS = {"BEGIN IMMEDIATE", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"}
LOADED = RowCounts(read=3, inserted=2, rejected=1)


def assert_loaded_once(suite: Suite, upload_id: str) -> None:
    upload = suite.store.get(upload_id)
    assert (upload.state, upload.rows) == (State.COMPLETED_WITH_REJECTS, LOADED)
    assert [cause.rows for cause in upload.causes] == [1]
    assert [reject.line for reject in suite.rejects(upload_id)] == [3]
    assert upload.announced
    assert upload_id in suite.announced()
    assert len(suite.rows("hired_employees")) == 2
    assert suite.summary() == suite.expected_summary()


@pytest.mark.parametrize(
    ("port", "moment", "call"),
    [
        ("files", "before", "open"),
        ("files", "before", "write"),
        ("files", "after", "write"),
        ("broker", "before", "publish"),
        ("broker", "after", "publish"),
    ],
)
def test_a_kill_at_a_call_changes_nothing(suite: Suite, port: str, moment: str, call: str) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    faulty = suite.faulty_files if port == "files" else suite.faulty_broker
    getattr(faulty, moment)[call].append(killed)

    with pytest.raises(Killed):
        suite.processor().process_up_to(upload_id)
    suite.processor().process_up_to(upload_id)

    assert_loaded_once(suite, upload_id)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_each_update_of_the_record_changes_nothing(suite: Suite, moment: str) -> None:
    for skipped in range(5):
        upload_id = suite.accept("jobs", f"{10 + skipped},Baker\n")

        def nothing(**_changes: Any) -> None:
            """Let this update pass."""

        hooks = getattr(suite.faulty_store, moment)["update"]
        hooks[:] = [nothing] * skipped + [killed]
        try:
            suite.processor().process_up_to(upload_id)
        except Killed:
            suite.processor().process_up_to(upload_id)
        hooks.clear()

        upload = suite.store.get(upload_id)
        assert upload.announced
        assert (upload.state, upload.rows) == (State.COMPLETED, RowCounts(read=1, inserted=1))


def test_a_redelivery_after_the_end_does_nothing(suite: Suite) -> None:
    first = suite.load("jobs", "9,Baker\n")
    suite.load("jobs", "9,Cook\n")
    announced = suite.announced()

    suite.processor().process_up_to(first.id)

    assert suite.rows("jobs")[-1] == (9, "Cook")
    assert suite.announced() == announced
    assert suite.store.get(first.id) == first


@pytest.mark.parametrize("mode", ["upsert", "insert"])
def test_a_lost_answer_to_commit_is_looked_up(suite: Suite, mode: str) -> None:
    upload_id = suite.accept("hired_employees", HIRES, mode=mode)
    suite.faulty_database.lost = [None, DatabaseUnavailable("the answer to COMMIT is lost")]

    suite.processor().process_up_to(upload_id)

    assert_loaded_once(suite, upload_id)


def test_a_transaction_that_was_rolled_back_runs_again(suite: Suite) -> None:
    upload_id = suite.accept("hired_employees", HIRES)

    def break_the_next(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            suite.faulty_database.refused = [DatabaseUnavailable("deadlock")] * 2

    suite.faulty_store.before["update"] = [break_the_next] * 3

    suite.processor().process_up_to(upload_id)

    assert_loaded_once(suite, upload_id)


def test_a_loader_that_was_thought_dead_cannot_load_again(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def be_overtaken(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            suite.processor().process_up_to(upload_id)
            suite.load("jobs", "9,Cook\n")

    suite.faulty_store.after["update"] = [be_overtaken, be_overtaken]
    suite.processor().process_up_to(upload_id)

    assert suite.rows("jobs")[-1] == (9, "Cook")
    assert suite.store.get(upload_id).rows == RowCounts(read=1, inserted=1)
    assert suite.announced().count(upload_id) == 1


@pytest.mark.parametrize("max_rejects", [None, 1])
def test_a_loader_that_was_thought_dead_leaves_the_rejects_alone(
    suite: Suite, max_rejects: int | None
) -> None:
    # To this one, the keys that the other inserted are taken: all its rows are rejects.
    upload_id = suite.accept("hired_employees", HIRES, mode="insert", max_rejects=max_rejects)
    suite.faulty_files.after["open"] = [lambda: suite.processor().process_up_to(upload_id)]

    suite.processor().process_up_to(upload_id)

    assert_loaded_once(suite, upload_id)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_loader_that_was_thought_dead_cannot_load_what_has_failed(
    suite: Suite, recorded: bool
) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def be_given_up(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            suite.faulty_files.before["open"] = [killed] * 3
            for _ in range(2):
                with pytest.raises(Killed):
                    suite.processor().process_up_to(upload_id)
            suite.faulty_store.before["update"] = [] if recorded else [killed]
            with nullcontext() if recorded else pytest.raises(Killed):
                suite.processor().process_up_to(upload_id)

    suite.faulty_store.after["update"] = [be_given_up, be_given_up]
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "too-many-attempts")
    assert suite.rows("jobs")[-1] == (3, "Editor")


def test_nobody_who_decides_waits_for_the_rows_of_another(suite: Suite) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    with statements(suite) as seen:
        suite.processor().process_up_to(upload_id)

    head = max(place for place, text in enumerate(seen) if "FROM journal_head" in text)
    (moved,) = [place for place, text in enumerate(seen) if text.startswith("UPDATE journal_head")]
    summary = max(place for place, text in enumerate(seen) if "INTO hires_summary" in text)
    # What the impact is told of is read before, and locks nothing.
    assert {text.split()[0] for text in seen[summary + 1 : head]} == {"SELECT"}
    assert not any("FOR UPDATE" in text for text in seen[summary + 1 : head])
    assert [text.split()[2] for text in seen[head + 1 : moved] if text.startswith("INSERT")] == [
        "changes",
        "changed_keys",
        "ledger",
    ]
    # The next transaction, or the end.
    assert set(seen[moved + 1 : moved + 2]) <= BEGINNINGS


def test_nothing_of_a_failed_transaction_is_to_be_seen(suite: Suite) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    looked: list[int] = []

    def look_then_die() -> None:
        looked.append(len(suite.rows("hired_employees")))
        raise Killed

    # Read at first, and once more when the rows are written.
    suite.faulty_store.after["get"] = [lambda: None, look_then_die]
    with pytest.raises(Killed):
        suite.processor().process_up_to(upload_id)

    assert looked == [0]
    assert (suite.rows("hired_employees"), suite.summary()) == ([], [])


def test_rejects_are_stored_before_the_rows_are_seen(suite: Suite) -> None:
    upload_id = suite.accept("hired_employees", HIRES)
    seen: list[int] = []

    def full(**_changes: Any) -> None:
        seen.append(len(suite.rows("hired_employees")))
        raise StoreUnavailable("full")

    suite.faulty_files.before["write"] = [full, full]

    suite.processor().process_up_to(upload_id)

    assert seen == [0, 0]
    assert_loaded_once(suite, upload_id)


@contextmanager
def statements(suite: Suite) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        seen.append(statement)

    event.listen(suite.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(suite.database.engine, "before_cursor_execute", note)
