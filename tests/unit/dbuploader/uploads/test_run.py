"""Small uploads that wait, loaded in one transaction, each as if by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from dbuploader.db.schema import ledger, load_attempts
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.load import TooManyRejects
from dbuploader.uploads.outcome import NotFinished
from dbuploader.uploads.processor import up_to
from dbuploader.uploads.run import PartialLoad, first_run
from muster.contracts.uploads import RowCounts, State, Upload
from muster.database import DatabaseUnavailable
from muster.worker.shutdown import Stopped
from tests.faults.plan import MakeError
from tests.faults.ports import ANSWER
from tests.unit.dbuploader.suite import Killed, Suite
from tests.unit.dbuploader.uploads.test_faults_at_each_call import (
    Loads,
    Mistake,
    mistake,
    weather_on,
)
from tests.unit.dbuploader.uploads.test_load_unreadable import set_state
from tests.waiting import eventually

AT_ONCE = 64
# `make chaos` tries all of the calls.
SAMPLED = 7


@pytest.fixture
def crowd(suite: Suite) -> Suite:
    """A suite whose loader takes runs."""
    suite.limits = replace(suite.limits, uploads=AT_ONCE)
    suite.seed()
    return suite


def states(suite: Suite, ids: list[str]) -> list[State]:
    return [suite.store.get(upload_id).state for upload_id in ids]


def decided(suite: Suite) -> list[str]:
    """The ids of the uploads, in the order in which they were decided."""
    with suite.database.read() as connection:
        rows = connection.execute(select(ledger.c.upload_id, ledger.c.decided_at))
        return [row.upload_id for row in sorted(rows, key=lambda row: row.decided_at)]


def attempts(suite: Suite, ids: list[str]) -> list[int]:
    with suite.database.read() as connection:
        rows = connection.execute(select(load_attempts.c.upload_id, load_attempts.c.attempts))
        found = {row.upload_id: row.attempts for row in rows}
    return [found.get(upload_id, 0) for upload_id in ids]


@pytest.fixture
def commits(suite: Suite) -> Iterator[list[str]]:
    """Grows by one with each write transaction of the database that is committed."""
    found: list[str] = []

    def note(connection: Any) -> None:
        if connection.get_execution_options().get("muster_write", True):
            found.append("commit")

    event.listen(suite.database.engine, "commit", note)
    yield found
    event.remove(suite.database.engine, "commit", note)


def test_what_waits_is_loaded_in_one_transaction(crowd: Suite, commits: list[str]) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(20)]
    commits.clear()
    crowd.processor().process_up_to(ids[0])
    # Of their attempts, and of their rows.
    assert len(commits) == 2
    assert states(crowd, ids) == [State.COMPLETED] * 20
    assert decided(crowd)[-20:] == ids
    assert [message["upload_id"] for _, message, _ in crowd.broker.published[-20:]] == ids
    assert all(crowd.store.get(upload_id).announced for upload_id in ids)


def test_a_message_of_an_upload_that_a_run_has_finished_asks_nobody(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]
    loader = crowd.processor()
    loader.process_up_to(ids[0])
    crowd.faulty_store.before["get"] = crowd.faulty_store.before["unfinished"] = [killed]
    loader.process_up_to(ids[2])
    assert crowd.faulty_store.before["get"] == [killed]


def killed(**_changes: Any) -> None:
    raise Killed


def test_an_upload_finds_the_parents_that_another_of_its_run_has_brought(crowd: Suite) -> None:
    hire = "1,Ana,2021-01-02T03:04:05Z,77,88\n"
    ids = [
        crowd.accept("hired_employees", hire),
        crowd.accept("departments", "77,New\n"),
        crowd.accept("jobs", "88,New\n"),
        crowd.accept("hired_employees", hire),
    ]
    crowd.processor().process_up_to(ids[3])
    rows = [crowd.store.get(upload_id).rows for upload_id in ids]
    assert [each.inserted for each in rows] == [0, 1, 1, 1]
    assert [each.rejected for each in rows] == [1, 0, 0, 0]
    assert crowd.summary() == crowd.expected_summary()


def test_an_upload_changes_the_rows_that_another_of_its_run_has_brought(
    crowd: Suite, commits: list[str]
) -> None:
    ids = [
        crowd.accept("jobs", "100,Baker\n101,Cook\n"),
        crowd.accept("jobs", "100,Dyer\n101,Cook\n102,Editor\n"),
        crowd.accept("jobs", "100,Farmer\n", mode="insert"),
        crowd.accept("jobs", "100,Farmer\n", dry_run=True),
    ]
    commits.clear()
    crowd.processor().process_up_to(ids[3])
    assert len(commits) == 2
    assert [crowd.store.get(upload_id).rows for upload_id in ids] == [
        RowCounts(read=2, inserted=2),
        RowCounts(read=3, inserted=1, updated=1, unchanged=1),
        RowCounts(read=1, rejected=1),
        RowCounts(read=1, updated=1),
    ]
    assert crowd.rows("jobs")[-3:] == [(100, "Dyer"), (101, "Cook"), (102, "Editor")]
    undo = crowd.accept_undo(ids[1])
    crowd.processor().process_up_to(undo)
    assert crowd.rows("jobs")[-2:] == [(100, "Baker"), (101, "Cook")]


def test_the_rows_of_a_run_are_written_with_one_statement_for_each_table(crowd: Suite) -> None:
    ids = [
        crowd.accept(*file)
        for number in range(100, 110)
        for file in (
            ("hired_employees", f"{number},Ana,2021-01-02T03:04:05Z,1,1\n"),
            ("jobs", f"{number},Baker\n"),
        )
    ]
    written: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO"):
            written.append(statement.split()[2])

    event.listen(crowd.database.engine, "before_cursor_execute", note)
    crowd.processor().process_up_to(ids[-1])
    event.remove(crowd.database.engine, "before_cursor_execute", note)
    assert states(crowd, ids) == [State.COMPLETED] * 20
    assert written.count("jobs") == written.count("hired_employees") == 1


def test_a_key_that_somebody_else_takes_meanwhile_breaks_the_run(
    crowd: Suite, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = crowd.accept("jobs", "100,Baker\n")
    crowd.processor().process_up_to(first)
    ids = [crowd.accept("jobs", f"{100 + number},Cook\n") for number in range(3)]
    monkeypatch.setattr("dbuploader.merge.held.key_range", lambda *_: (1, 3))
    commits.clear()
    crowd.processor().process_up_to(ids[2])
    assert len(commits) > 2
    rows = [crowd.store.get(upload_id).rows for upload_id in ids]
    assert rows == [
        RowCounts(read=1, updated=1),
        RowCounts(read=1, inserted=1),
        RowCounts(read=1, inserted=1),
    ]
    assert [row[1] for row in crowd.rows("jobs")[-3:]] == ["Cook"] * 3


def test_what_fails_leaves_nothing_and_takes_no_other_along(
    crowd: Suite, commits: list[str]
) -> None:
    ids = [
        crowd.accept("jobs", "100,Baker\n"),
        crowd.accept("jobs", "101,Cook\nx,Odd\n", max_rejects=0),
        crowd.accept("jobs", "1,Clerk\n", mode="insert"),
        crowd.accept("jobs", '102,"Dyer\n'),
        crowd.accept("jobs", "103,Editor\n"),
        crowd.accept("jobs", "104,Farmer\n", dry_run=True),
    ]
    commits.clear()
    crowd.processor().process_up_to(ids[0])
    assert len(commits) == 2
    found = [crowd.store.get(upload_id) for upload_id in ids]
    assert [upload.state for upload in found] == [
        State.COMPLETED,
        State.FAILED,
        State.COMPLETED_WITH_REJECTS,
        found[3].state,
        State.COMPLETED,
        State.VALIDATED,
    ]
    assert found[1].error is not None
    assert found[1].error.code == "too-many-rejects"
    assert found[1].rows == RowCounts(read=2, rejected=1, unprocessed=1)
    assert {100, 103} <= {row[0] for row in crowd.rows("jobs")}
    assert not {101, 104} & {row[0] for row in crowd.rows("jobs")}
    assert decided(crowd)[-6:] == ids


def test_what_fails_after_its_rows_were_merged_leaves_nothing(
    crowd: Suite, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]
    merge = PartialLoad._merge

    def refuse(load: Any, connection: Connection, *rows: Any) -> Any:
        counts = merge(load, connection, *rows)
        if load._upload.id == ids[1]:
            raise TooManyRejects
        return counts

    monkeypatch.setattr(PartialLoad, "_merge", refuse)
    commits.clear()
    crowd.processor().process_up_to(ids[2])
    assert len(commits) == 2
    assert states(crowd, ids) == [State.COMPLETED, State.FAILED, State.COMPLETED]
    assert [row[0] for row in crowd.rows("jobs")[-2:]] == [100, 102]


def test_a_file_that_is_gone_fails_alone(crowd: Suite, commits: list[str]) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]
    crowd.stores.files.delete(ids[1])
    commits.clear()
    crowd.processor().process_up_to(ids[2])
    assert states(crowd, ids) == [State.COMPLETED, State.FAILED, State.COMPLETED]
    assert len(commits) == 2


def test_a_cancelled_upload_is_left_out(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]
    crowd.store.update(ids[1], expect={State.QUEUED}, cancel_requested=True)
    crowd.processor().process_up_to(ids[2])
    assert states(crowd, ids) == [State.COMPLETED, State.CANCELLED, State.COMPLETED]


def test_an_upload_that_is_cancelled_as_the_run_begins_is_not_loaded(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]

    def cancel(**_said: Any) -> None:
        crowd.store.update(ids[1], expect={State.QUEUED}, cancel_requested=True)
        crowd.processor().cancel_queued()

    crowd.faulty_files.before["open"] = [cancel]
    crowd.processor().process_up_to(ids[2])
    assert states(crowd, ids) == [State.COMPLETED, State.CANCELLED, State.COMPLETED]
    assert [row[0] for row in crowd.rows("jobs")[-2:]] == [100, 102]
    assert attempts(crowd, ids)[1] <= 1


def test_a_load_whose_begin_a_power_cut_has_undone_is_not_cancelled(crowd: Suite) -> None:
    upload_id = crowd.accept("jobs", "100,Baker\n")

    def cut(**_changes: Any) -> None:
        # What a record said last need not have reached the disk; what was committed has.
        crowd.store.update(upload_id, expect=set(State), state=State.QUEUED, started_at=None)
        raise Killed

    crowd.faulty_store.before["update"] = [cut]
    with pytest.raises(Killed):
        crowd.processor().process_up_to(upload_id)
    crowd.store.update(upload_id, expect={State.QUEUED}, cancel_requested=True)
    crowd.processor().cancel_queued()
    assert crowd.store.get(upload_id).state == State.QUEUED
    crowd.processor().process_up_to(upload_id)
    assert crowd.store.get(upload_id).state == State.COMPLETED


def test_a_loader_that_is_killed_while_it_announces_is_followed_by_one_that_does(
    crowd: Suite,
) -> None:
    upload_id = crowd.accept("jobs", "100,Baker\n")
    crowd.faulty_broker.before["publish"] = [killed]
    with pytest.raises(Killed):
        crowd.processor().process_up_to(upload_id)
    assert crowd.store.get(upload_id).state is State.COMPLETED
    assert not crowd.store.get(upload_id).announced
    crowd.processor().process_up_to(upload_id)
    assert crowd.store.get(upload_id).announced
    assert crowd.announced().count(upload_id) == 1


def test_what_was_announced_is_marked_though_its_record_can_not_be_read(crowd: Suite) -> None:
    upload_id = crowd.accept("jobs", "100,Baker\n")

    def change(**_changes: Any) -> None:
        set_state(crowd, upload_id, "undone")

    crowd.faulty_broker.before["publish"] = [change]
    crowd.processor().process_up_to(upload_id)
    set_state(crowd, upload_id, "completed")
    assert crowd.store.get(upload_id).announced
    assert crowd.announced().count(upload_id) == 1


def test_a_run_that_lasts_says_so(crowd: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbuploader.uploads.run._SOON", timedelta(0))
    upload_id = crowd.accept("jobs", "100,Baker\n")
    insert = Ledger.insert

    def slow(*args: Any) -> Any:
        eventually(lambda: crowd.store.get(upload_id).state is State.VALIDATING)
        return insert(*args)

    monkeypatch.setattr(Ledger, "insert", slow)
    crowd.processor().process_up_to(upload_id)
    assert crowd.store.get(upload_id).state is State.COMPLETED


def test_a_file_that_kills_its_loader_takes_no_other_along(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(4)]
    opened: list[str] = []
    open_file = crowd.stores.files.open

    def opening(name: str) -> Any:
        opened.append(name)
        if name == ids[1]:
            raise Killed
        return open_file(name)

    crowd.stores.files.open = opening  # type: ignore[method-assign]
    for _ in range(4):
        with suppress(Killed):
            crowd.processor().process_up_to(ids[3])
    assert states(crowd, ids) == [
        State.COMPLETED,
        State.FAILED,
        State.COMPLETED,
        State.COMPLETED,
    ]
    assert opened.count(ids[1]) == 3
    assert max(attempts(crowd, [ids[0], *ids[2:]])) <= 2


def test_a_stopped_run_costs_no_attempt(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]

    def stop(**_changes: Any) -> None:
        crowd.stop.set()

    for _ in range(5):
        crowd.faulty_files.before["open"] = [stop]
        with pytest.raises(Stopped):
            crowd.processor().process_up_to(ids[2])
        crowd.stop.clear()
        assert attempts(crowd, ids) == [0, 0, 0]
    crowd.processor().process_up_to(ids[2])
    assert states(crowd, ids) == [State.COMPLETED] * 3


def test_while_the_database_is_away_the_run_waits_and_says_so(crowd: Suite) -> None:
    ids = [crowd.accept("jobs", f"{100 + number},Baker\n") for number in range(3)]
    said = []

    def listen(**changes: Any) -> None:
        said.append(changes.get("error"))

    crowd.faulty_database.refused = [DatabaseUnavailable("gone")] * 2
    crowd.faulty_store.after["update"] = [listen] * 9
    crowd.processor().process_up_to(ids[2])
    assert [each.code for each in said if each is not None] == ["waiting-for-database"] * 2
    assert states(crowd, ids) == [State.COMPLETED] * 3
    assert crowd.store.get(ids[0]).error is None


class Runs:
    """One run after the other of four uploads, each over ports with faults."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        one_by_one = Loads(suite)
        self.faults, self.processor = one_by_one.faults, one_by_one.processor
        self._next_key = 100

    def accept(self) -> list[str]:
        """Four files: a job, a good and a bad row, one with too many bad, and a hire."""
        key = self._next_key
        self._next_key += 10
        return [
            self.suite.accept("jobs", f"{key},Baker\n1,Clerk\n", in_record=True),
            self.suite.accept("jobs", f"{key + 1},Cook\nx,Odd\n", in_record=True),
            self.suite.accept("jobs", f"{key + 2},Dyer\nx,Odd\n", max_rejects=0),
            self.suite.accept("hired_employees", f"{key},Ana,2021-01-02T03:04:05Z,1,{key}\n"),
        ]

    def calls(self) -> list[str]:
        """What a run without faults calls, by name."""
        ids = self.accept()
        self.faults.clear()
        self.processor().process_up_to(ids[-1])
        calls = list(self.faults.calls)
        self.faults.clear()
        return calls

    def load(self, number: int, error: MakeError) -> list[str]:
        """Load four files, with `error` at the call `number`; finished at the second message."""
        ids = self.accept()
        self.faults.arm(number, error)
        with suppress(NotFinished, Mistake, Killed):
            self.processor().process_up_to(ids[-1])
        self.faults.clear()
        self.processor().process_up_to(ids[-1])
        return ids

    def check(self, ids: list[str], told: object) -> None:
        """Each is as if it had been loaded by itself, once, in order."""
        found = [self.suite.store.get(upload_id) for upload_id in ids]
        assert [upload.state for upload in found] == [
            State.COMPLETED,
            State.COMPLETED_WITH_REJECTS,
            State.FAILED,
            State.COMPLETED,
        ], told
        assert [upload.rows for upload in found] == [
            RowCounts(read=2, inserted=1, unchanged=1),
            RowCounts(read=2, inserted=1, rejected=1),
            RowCounts(read=2, rejected=1, unprocessed=1),
            RowCounts(read=1, inserted=1),
        ], told
        assert all(upload.announced for upload in found), told
        assert [each for each in decided(self.suite) if each in ids] == ids, told
        for upload in found[1:3]:
            with self.suite.stores.files.open(upload.rejects_name) as rejects:
                assert b"Odd" in rejects.read(), told


def death(_call: str) -> BaseException:
    return Killed()


def test_a_run_asks_the_store_as_often_as_one_upload_does(crowd: Suite) -> None:
    made = Counter(call for call in Runs(crowd).calls() if not call.endswith(ANSWER))
    of_store = {call: count for call, count in made.items() if call.startswith("uploads.")}
    names = ("get", "unfinished", "contents", "update_each", "mark")
    assert of_store == {f"uploads.{name}": 1 for name in names}


@pytest.mark.parametrize("step", [SAMPLED, pytest.param(1, marks=pytest.mark.chaos)])
@pytest.mark.parametrize("kind", ["weather", "mistake", "death"])
def test_a_run_that_is_broken_anywhere_loads_each_once(crowd: Suite, kind: str, step: int) -> None:
    runs = Runs(crowd)
    error = {"weather": weather_on(crowd), "mistake": mistake, "death": death}[kind]
    calls = runs.calls()
    assert len(calls) > 20
    for number in range(0, len(calls), step):
        ids = runs.load(number, error)
        told = (number, calls[number], [crowd.store.get(each) for each in ids])
        runs.check(ids, told)
        assert max(attempts(crowd, ids)) <= (1 if kind == "weather" else 3), told
    assert crowd.summary() == crowd.expected_summary()


def test_what_follows_a_number_that_is_left_out_is_not_taken(suite: Suite) -> None:
    def numbered(*numbers: int) -> list[Upload]:
        upload = suite.store.get(suite.accept("jobs", "1,Clerk\n"))
        return [replace(upload, sequence=number) for number in numbers]

    def taken(sequence: int, *numbers: int, most: int = AT_ONCE) -> list[int]:
        return [upload.sequence for upload in up_to(sequence, numbered(*numbers), most)]

    assert taken(5, 1, 3, 5, 6, 7, 9, 10) == [1, 3, 5, 6, 7]
    assert taken(5, 1, 3, 7) == [1, 3]
    assert taken(5, 6, 7) == [6, 7]
    assert taken(5, 4, 5, 6, 7, most=1) == [4, 5]
    assert taken(5, 5, 6, 7, 8, most=3) == [5, 6, 7]


def test_a_run_is_of_small_uploads_that_nobody_has_begun(suite: Suite) -> None:
    small = suite.store.get(suite.accept("jobs", "1,Clerk\n"))
    large = replace(small, size=10**6)
    medium = replace(small, size=60_000)
    begun = replace(small, state=State.VALIDATING)
    cancelled = replace(small, cancel_requested=True)
    undo = replace(small, kind="undo")
    for odd in (large, begun, cancelled, undo):
        assert first_run([small, small, odd, small], AT_ONCE) == [small, small]
        assert first_run([odd, small], AT_ONCE) == []
    assert len(first_run([small] * 100, AT_ONCE)) == AT_ONCE
    assert len(first_run([medium] * 100, AT_ONCE)) == 34
    assert first_run([small, small], 1) == []
