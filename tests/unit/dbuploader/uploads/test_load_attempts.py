"""Files that kill, hang or break their loader end, and those behind them load."""

from typing import Any

import pytest
from sqlalchemy import select

from dbuploader.db.schema import load_attempts
from dbuploader.uploads.outcome import NotFinished
from muster.contracts.uploads import RowCounts, State
from muster.database import DatabaseUnavailable
from muster.filestore import FileNotStored
from muster.worker.shutdown import Stopped
from tests.unit.dbuploader.suite import Killed, Suite, killed


def broken(**_changes: Any) -> None:
    raise RuntimeError("a mistake in the loader")


def test_a_file_that_kills_its_loader_fails_after_three_attempts(suite: Suite) -> None:
    poison = suite.accept("jobs", "8,Poison\n")
    behind = suite.accept("jobs", "9,Baker\n")
    suite.faulty_files.before["open"] = [killed] * 3

    for _ in range(3):
        with pytest.raises(Killed):
            suite.processor().process_up_to(behind)
    suite.processor().process_up_to(behind)

    ended = suite.store.get(poison)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "too-many-attempts")
    assert (ended.rows, ended.progress) == (RowCounts(), 1.0)
    assert suite.store.get(behind).state == State.COMPLETED
    assert suite.announced()[-2:] == [poison, behind]
    assert suite.rows("jobs")[-1] == (9, "Baker")


def test_two_kills_do_not_fail_a_file(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.faulty_files.before["open"] = [killed] * 2

    for _ in range(2):
        with pytest.raises(Killed):
            suite.processor().process_up_to(upload_id)
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED


def test_rows_that_are_loaded_never_end_as_failed(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\nx,Cook\n")
    suite.faulty_files.before["open"] = [killed] * 2
    for _ in range(2):
        with pytest.raises(Killed):
            suite.processor().process_up_to(upload_id)

    def die_at_the_end(**changes: Any) -> None:
        if changes.get("state") == State.COMPLETED_WITH_REJECTS:
            raise Killed

    for _ in range(3):
        suite.faulty_store.before["update"] = [die_at_the_end] * 4
        with pytest.raises(Killed):
            suite.processor().process_up_to(upload_id)
        suite.faulty_store.before.clear()
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).rows == RowCounts(read=2, inserted=1, rejected=1)
    assert [reject.line for reject in suite.rejects(upload_id)] == [2]


def test_a_mistake_in_the_loader_fails_one_upload_only(suite: Suite) -> None:
    broken_id = suite.accept("jobs", "8,Odd\n")
    behind = suite.accept("jobs", "9,Baker\n")
    suite.faulty_files.before["open"] = [broken] * 3

    suite.processor().process_up_to(behind)

    ended = suite.store.get(broken_id)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "internal-error")
    assert suite.store.get(behind).state == State.COMPLETED


def test_rejects_do_not_outlive_the_load_that_a_mistake_ended(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\nx,Cook\n")
    kept: list[int] = []

    def break_at_the_end() -> None:
        kept.append(len(suite.rejects(upload_id)))
        broken()

    # Read at first, and by each load once more when the rows are written.
    suite.faulty_store.before["get"] = [lambda: None, *[break_at_the_end] * 3]

    suite.processor().process_up_to(upload_id)

    ended = suite.store.get(upload_id)
    assert (kept, ended.state, ended.rows) == ([1, 1, 1], State.FAILED, RowCounts())
    with pytest.raises(FileNotStored):
        suite.rejects(upload_id)


def test_a_mistake_that_passes_costs_nothing(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.faulty_files.before["open"] = [broken]

    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED


def test_a_graceful_stop_is_not_an_attempt(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def stop(**_changes: Any) -> None:
        suite.stop.set()

    for _ in range(5):
        suite.stop.clear()
        suite.faulty_files.before["open"] = [stop]
        with pytest.raises(Stopped):
            suite.processor().process_up_to(upload_id)
    assert suite.rows("jobs")[-1] == (3, "Editor")
    suite.stop.clear()
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED


def test_an_attempt_whose_commit_is_not_answered_is_counted_once(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.faulty_database.lost = [DatabaseUnavailable("no answer")] * 5

    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED
    assert attempts(suite, upload_id) == 1


def test_a_stop_while_the_database_is_away_is_not_an_attempt(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def stop(**_changes: Any) -> None:
        suite.stop.set()
        suite.faulty_database.refused = [DatabaseUnavailable("gone")] * 2

    for _ in range(5):
        suite.stop.clear()
        suite.faulty_database.refused.clear()
        suite.faulty_files.before["open"] = [stop]
        with pytest.raises(Stopped):
            suite.processor().process_up_to(upload_id)
    suite.stop.clear()
    suite.faulty_database.refused.clear()
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED
    assert attempts(suite, upload_id) == 1


def test_two_loaders_that_stop_while_the_database_is_away_cost_no_attempt(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    loaders = [suite.processor(), suite.processor()]

    def refuse(**_changes: Any) -> None:
        suite.stop.set()
        suite.faulty_database.refused = [DatabaseUnavailable("gone")] * 2

    def follow(**_changes: Any) -> None:
        # The first is thought dead; of its own it knows nothing but that it is to stop, too.
        suite.faulty_files.before["open"] = [refuse]
        with pytest.raises(Stopped):
            loaders[1].process_up_to(upload_id)
        refuse()

    suite.faulty_files.before["open"] = [follow]
    with pytest.raises(Stopped):
        loaders[0].process_up_to(upload_id)
    suite.stop.clear()
    suite.faulty_database.refused.clear()
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED
    # Of the first, whose process was thought dead, and of the last.
    assert attempts(suite, upload_id) == 2


def attempts(suite: Suite, upload_id: str) -> int:
    mine = load_attempts.c.upload_id == upload_id
    with suite.database.read() as connection:
        return int(connection.execute(select(load_attempts.c.attempts).where(mine)).scalar_one())


def test_what_keeps_one_upload_from_its_end_holds_up_none_behind_it(suite: Suite) -> None:
    stuck = suite.accept("jobs", "8,Odd\n")
    behind = suite.accept("jobs", "9,Baker\n")

    def refuse_the_end(**changes: Any) -> None:
        if changes.get("state") == State.COMPLETED:
            suite.faulty_store.before["update"].clear()
            broken()

    suite.faulty_store.before["update"] = [refuse_the_end] * 10
    suite.processor().process_up_to(behind)

    assert suite.store.get(behind).state == State.COMPLETED
    assert not suite.store.get(stuck).state.is_final
    suite.faulty_store.before["update"] = [refuse_the_end] * 10
    with pytest.raises(NotFinished):
        suite.processor().process_up_to(stuck)
    suite.processor().process_up_to(stuck)
    assert suite.store.get(stuck).state == State.COMPLETED


def test_a_file_that_is_not_in_the_store_fails(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.stores.files.delete(upload_id)

    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "file-missing")


def test_an_upload_of_a_table_that_keeps_changing_ends(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "20,Baker\n", mode="insert")

    def take_and_free_the_key(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            execute(suite, "INSERT INTO jobs VALUES (20, 'Cook')")
        if changes.get("state") == State.VALIDATING:
            execute(suite, "DELETE FROM jobs WHERE id = 20")

    suite.faulty_store.before["update"] = [take_and_free_the_key] * 30
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "changed-meanwhile")
    assert upload.rows == RowCounts(read=1, unprocessed=1)


def test_a_key_taken_since_validation_is_a_reject(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "20,Baker\n21,Cook\n", mode="insert")

    assert_smith_keeps_20(suite, upload_id)
    assert [reject.row for reject in suite.rejects(upload_id)] == [1]


def test_a_row_whose_key_was_taken_before_changes_none_that_came_since_validation(
    suite: Suite,
) -> None:
    content = "id,job,_line,_code\n20,Baker,1,primary-key\n21,Cook,2,primary-key\n"
    upload_id = suite.accept("jobs", content)

    assert_smith_keeps_20(suite, upload_id)
    assert [reject.errors[0].code for reject in suite.rejects(upload_id)] == ["primary-key"]


def assert_smith_keeps_20(suite: Suite, upload_id: str) -> None:
    """Load the upload, a job of 20 and one of 21, while Smith's comes between check and load."""

    def take_the_key(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            execute(suite, "INSERT INTO jobs VALUES (20, 'Smith')")

    suite.faulty_store.before["update"] = [take_the_key] * 2
    suite.processor().process_up_to(upload_id)

    upload = suite.store.get(upload_id)
    assert upload.rows == RowCounts(read=2, inserted=1, rejected=1)
    assert [row for row in suite.rows("jobs") if row[0] >= 20] == [(20, "Smith"), (21, "Cook")]


def execute(suite: Suite, statement: str) -> None:
    with suite.database.write() as connection:
        connection.exec_driver_sql(statement)
