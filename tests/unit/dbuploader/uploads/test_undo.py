"""Undo: which rows of an upload are taken back, and what becomes of the others."""

import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from dbuploader.arrow import to_batch
from dbuploader.batches.merge import Batches
from dbuploader.db.schema import changed_keys, changes
from dbuploader.journal.changes import ChangeRecorder, enter
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.merge import Merge
from muster.contracts.tables import get_table
from muster.contracts.uploads import LaterHolder, State, UndoCounts, Upload
from tests.unit.dbuploader.suite import BATCH_LIMITS, Suite, an_author
from tests.waiting import eventually

HIRES = "".join(f"{key},Ana {key},2021-0{key}-01T00:00:00Z,{key},{key}\n" for key in (1, 2, 3))


def batch(suite: Suite, table: str, *rows: dict[str, object]) -> int:
    """Write a batch; returns its number in the journal."""
    author = an_author()
    answer = Batches(suite.database, BATCH_LIMITS).merge(get_table(table), rows, None, author)
    assert answer.status == 200
    with suite.database.read() as connection:
        mine = select(changes.c.number).where(changes.c.entry == author.entry)
        return int(connection.scalars(mine).one())


def messages(suite: Suite, undo: Upload) -> list[tuple[str, str, str]]:
    """The key, the code and the message of each row that an undo left."""
    rejects = suite.rejects(undo.id)
    return [(*(each.cells or ()), each.errors[0].code, each.errors[0].message) for each in rejects]  # type: ignore[misc]


def keys(suite: Suite, table: str) -> list[int]:
    return [row[0] for row in suite.rows(table)]


def test_what_was_inserted_is_removed_and_what_was_updated_is_restored(suite: Suite) -> None:
    suite.load("hired_employees", HIRES)
    before, summary = suite.rows("hired_employees"), suite.summary()
    upload = suite.load(
        "hired_employees",
        "2,Bob,2022-01-01T00:00:00Z,1,1\n3,Ana 3,2021-03-01T00:00:00Z,3,3\n"
        "4,Eve,2022-01-01T00:00:00Z,1,1\n5,Eve,2022-01-01T00:00:00Z,1,1\n",
    )
    undo = suite.undo(upload)

    assert (undo.state, undo.error) == (State.COMPLETED, None)
    assert undo.undone == UndoCounts(written=3, restored=1, removed=2)
    assert (suite.rows("hired_employees"), suite.summary()) == (before, summary)
    assert suite.summary() == suite.expected_summary()
    assert undo.announced
    assert suite.store.get(upload.id).undone_by == undo.id


def test_an_undo_is_a_change_that_can_be_undone(suite: Suite) -> None:
    suite.load("hired_employees", HIRES)
    before = suite.rows("hired_employees")
    upload = suite.load(
        "hired_employees", "2,Bob,2022-01-01T00:00:00Z,1,1\n4,Eve,2022-01-01T00:00:00Z,1,1\n"
    )
    after = suite.rows("hired_employees")
    undo = suite.undo(upload)
    with suite.database.read() as connection:
        made = connection.execute(select(changes).where(changes.c.entry == undo.id)).one()
    assert made.number == undo.change
    assert (made.kind, made.undoes) == ("undo", upload.change)
    assert (made.inserted, made.updated, made.removed) == (0, 1, 1)

    again = suite.undo(undo)
    assert again.undone == UndoCounts(written=2, restored=2)
    assert suite.rows("hired_employees") == after
    assert suite.summary() == suite.expected_summary()
    assert suite.store.get(undo.id).undone_by == again.id
    assert suite.store.get(upload.id).undone_by is None

    third = suite.undo(upload)
    assert third.undone == UndoCounts(written=2, restored=1, removed=1)
    assert suite.rows("hired_employees") == before
    assert suite.store.get(upload.id).undone_by == third.id

    fourth = suite.undo(again)
    assert fourth.undone == UndoCounts(written=2, kept=2)
    assert suite.store.get(upload.id).undone_by == third.id


def test_a_row_that_a_later_change_touched_is_kept(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n9,Smith\n10,Nun\n")
    second = suite.load("jobs", "7,Miller\n")
    number = batch(suite, "jobs", {"id": 8, "job": "Chef"})
    undo = suite.undo(upload)

    assert undo.state == State.COMPLETED_WITH_REJECTS
    assert undo.undone == UndoCounts(written=4, removed=2, kept=2)
    assert suite.rows("jobs")[3:] == [(7, "Miller"), (8, "Chef")]
    assert messages(suite, undo) == [
        ("8", "kept", f"a batch changed it later (change {number})"),
        ("7", "kept", f"an upload changed it later (change {second.change})"),
    ]
    # Who may see the upload is told which; a batch is none.
    assert [each.errors[0].upload for each in suite.rejects(undo.id)] == [None, second.id]
    assert [(cause.code, cause.rows) for cause in undo.causes] == [("kept", 2)]


def test_of_more_rows_than_are_listed_the_undo_says_so(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n9,Smith\n10,Nun\n11,Judge\n")
    suite.load("jobs", "7,Miller\n8,Chef\n9,Farrier\n")
    suite.load("hired_employees", "1,Ana,2021-01-01T00:00:00Z,1,10\n")
    suite.limits = replace(suite.limits, reject_bytes=300)
    undo = suite.undo(upload)

    assert (undo.state, undo.error) == (State.COMPLETED_WITH_REJECTS, None)
    assert undo.undone == UndoCounts(written=5, removed=1, kept=3, blocked=1)
    listed = len(messages(suite, undo))
    assert 0 < listed < 3
    assert [(cause.code, cause.rows) for cause in undo.causes] == [("kept", 3)]
    assert undo.warnings_total == 1
    assert undo.warnings[0].code == "rows-unlisted"
    assert undo.warnings[0].message.startswith(f"{listed} of the 4 rows")

    suite.limits = replace(suite.limits, reject_bytes=0)
    all_or_none = suite.undo(undo, mode="all")
    assert all_or_none.state == State.COMPLETED
    unlisted = suite.undo(upload)
    assert (unlisted.state, unlisted.rejects) == (State.COMPLETED_WITH_REJECTS, None)
    failed = suite.undo(all_or_none, mode="all")
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (State.FAILED, "undo-blocked")


def test_later_changes_that_are_undone_keep_nothing(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n")
    later = suite.load("jobs", "7,Miller\n")
    suite.undo(later)
    undo = suite.undo(upload)
    assert undo.undone == UndoCounts(written=2, removed=2)
    assert keys(suite, "jobs") == [1, 2, 3]


def test_a_later_undo_of_an_earlier_change_keeps_its_rows(suite: Suite) -> None:
    first = suite.load("jobs", "7,Baker\n")
    second = suite.load("jobs", "7,Cook\n")
    undo = suite.undo(second)
    suite.undo(first)
    # It would bring back what the second upload made of a row that the first no longer has.
    again = suite.undo(undo)
    assert again.undone == UndoCounts(written=1, kept=1)
    assert keys(suite, "jobs") == [1, 2, 3]


def test_rows_that_others_refer_to_are_blocked(suite: Suite) -> None:
    upload = suite.load("departments", "7,Sales\n8,Legal\n9,Art\n")
    suite.load(
        "hired_employees",
        "".join(f"{key},Ana,2021-01-01T00:00:00Z,{7 + key % 2},1\n" for key in range(1, 10)),
    )
    undo = suite.undo(upload)

    assert undo.undone == UndoCounts(written=3, removed=1, blocked=2)
    refer = "refer to it: take those back first"
    assert messages(suite, undo) == [
        ("7", "blocked", f"hired_employees 2, 4, 6 and others {refer}"),
        ("8", "blocked", f"hired_employees 1, 3, 5 and others {refer}"),
    ]
    assert keys(suite, "departments") == [1, 2, 3, 7, 8]


def test_rows_whose_parents_are_gone_are_blocked(suite: Suite) -> None:
    jobs = suite.load("jobs", "7,Baker\n")
    suite.load(
        "hired_employees", "1,Ana,2021-01-01T00:00:00Z,1,7\n2,Bob,2021-01-01T00:00:00Z,1,1\n"
    )
    moved = suite.load(
        "hired_employees", "1,Ana,2021-01-01T00:00:00Z,1,2\n2,Bob,2021-01-01T00:00:00Z,1,2\n"
    )
    suite.undo(jobs)
    undo = suite.undo(moved)

    assert undo.undone == UndoCounts(written=2, restored=1, blocked=1)
    why = "it was of job_id 7, and jobs has no 7: load that first"
    assert messages(suite, undo) == [("1", "blocked", why)]
    assert suite.summary() == suite.expected_summary()


def test_all_or_nothing(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n")
    suite.load("jobs", "7,Miller\n")
    undo = suite.undo(upload, mode="all")

    assert undo.error is not None
    assert (undo.state, undo.error.code) == (State.FAILED, "undo-blocked")
    assert [key for key, _, _ in messages(suite, undo)] == ["7"]
    assert (undo.undone, undo.change) == (None, None)
    assert keys(suite, "jobs") == [1, 2, 3, 7, 8]
    assert suite.store.get(upload.id).undone_by is None

    assert suite.undo(suite.load("jobs", "9,Nun\n"), mode="all").state == State.COMPLETED


def test_a_dry_run_counts_and_writes_nothing(suite: Suite) -> None:
    upload = suite.load("jobs", "1,Miller\n7,Baker\n8,Cook\n")
    suite.load("jobs", "7,Miller\n")
    rows = suite.rows("jobs")
    tried = suite.undo(upload, dry_run=True)

    assert (tried.state, tried.change) == (State.VALIDATED, None)
    assert tried.undone == UndoCounts(written=3, restored=1, removed=1, kept=1)
    assert [key for key, _, _ in messages(suite, tried)] == ["7"]
    assert suite.rows("jobs") == rows
    assert suite.store.get(upload.id).undone_by is None
    assert suite.undo(upload).undone == tried.undone


def test_what_wrote_nothing_can_not_be_undone(suite: Suite) -> None:
    for upload in (suite.load("jobs", "1,Clerk\n"), suite.load("jobs", "7,A\n", dry_run=True)):
        undo = suite.undo(upload)
        assert undo.error is not None
        assert (undo.state, undo.error.code) == (State.FAILED, "nothing-to-undo")


def test_what_is_undone_already_can_not_be_undone(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n")
    undo = suite.undo(upload)
    again = suite.undo(upload)
    assert again.error is not None
    assert (again.state, again.error.code) == (State.FAILED, "already-undone")
    assert again.causes == ()
    assert str(undo.change) in again.error.detail
    assert suite.store.get(upload.id).undone_by == undo.id


def test_whoever_sees_an_undo_final_sees_what_it_took_back(suite: Suite) -> None:
    upload, seen = suite.load("jobs", "7,Baker\n"), []

    def look(**said: Any) -> None:
        if said.get("state") is State.COMPLETED:
            seen.append(suite.store.get(upload.id).undone_by)

    suite.faulty_store.before["update"] = [look] * 20
    undo = suite.undo(upload)
    assert seen == [undo.id]


def test_what_an_undo_left_can_be_undone_later(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n")
    later = suite.load("jobs", "7,Miller\n")
    first = suite.undo(upload)
    suite.undo(later)
    second = suite.undo(upload)
    assert second.undone == UndoCounts(written=2, removed=1, kept=1)
    why = f"an undo took it back already (change {first.change})"
    assert messages(suite, second) == [("8", "kept", why)]
    assert suite.store.get(upload.id).undone_by == second.id


def test_later_uploads_that_held_its_rows_are_named(suite: Suite) -> None:
    upload = suite.load("jobs", "1,Miller\n7,Baker\n8,Cook\n9,Nun\n")
    wrote_nothing = suite.load("jobs", "7,Baker\n8,Cook\n1,Miller\n")
    wrote = suite.load("jobs", "7,Baker\n20,Monk\n")
    suite.load("jobs", "2,Nurse\n")
    number = batch(
        suite, "jobs", {"id": 8, "job": "Cook"}, {"id": 9, "job": "Nun"}, {"id": 21, "job": "X"}
    )
    for undo in (suite.undo(upload, dry_run=True), suite.undo(upload)):
        assert undo.impact is not None
        assert undo.impact.holders_total == 3
        assert undo.impact.holders == (
            LaterHolder(None, wrote_nothing.id, 3),
            LaterHolder(number, None, 2),
            LaterHolder(wrote.change, wrote.id, 1),
        )


def test_the_most_holders_are_named_and_all_counted(suite: Suite) -> None:
    upload = suite.load("jobs", "".join(f"{key},Job\n" for key in range(100, 200)))
    for count in range(1, 51):
        suite.load("jobs", "".join(f"{key},Job\n" for key in range(100, 100 + count)))
    impact = suite.undo(upload, dry_run=True).impact
    assert impact is not None
    assert impact.holders_total == 50
    assert [holder.rows for holder in impact.holders] == [*range(50, 30, -1)]


def test_keys_of_many_later_changes_are_read_in_parts(suite: Suite) -> None:
    upload = suite.load("jobs", "".join(f"{key},Job\n" for key in range(100, 200)))
    for key in range(100, 170):
        batch(suite, "jobs", {"id": key, "job": "Other"})
    with suite.database.read() as connection:
        assert len(connection.execute(select(changed_keys.c.number)).all()) > 70
    undo = suite.undo(upload)
    assert undo.undone == UndoCounts(written=100, removed=30, kept=70)
    assert keys(suite, "jobs") == [1, 2, 3, *range(100, 170)]


def test_an_undo_of_tens_of_thousands_of_rows(suite: Suite) -> None:
    def hires(name: str, among: range) -> str:
        return "".join(f"{key},{name},2021-05-06T07:08:09Z,1,2\n" for key in among)

    suite.load("hired_employees", hires("Ana", range(1, 60_000, 2)))
    before = suite.rows("hired_employees")
    upload = suite.load("hired_employees", hires("Bob", range(1, 60_001)))
    undo = suite.undo(upload)
    assert undo.undone == UndoCounts(written=60_000, restored=30_000, removed=30_000)
    assert suite.rows("hired_employees") == before
    assert suite.summary() == suite.expected_summary()

    assert suite.undo(undo).undone == UndoCounts(written=60_000, restored=60_000)
    assert len(suite.rows("hired_employees")) == 60_000
    assert suite.summary() == suite.expected_summary()


@pytest.mark.parametrize("database_url", ["mysql_database_url"], indirect=True)
def test_a_row_that_a_batch_inserts_meanwhile_is_not_overwritten(suite: Suite) -> None:
    # A key beyond those that are there would only ever be inserted.
    suite.load("jobs", "9,Nun\n")
    undo = suite.undo(suite.load("jobs", "7,Baker\n"))
    numbers: list[int] = []

    def insert() -> None:
        numbers.append(batch(suite, "jobs", {"id": 7, "job": "Monk"}))

    # The later changes are read by then, and the former rows are next.
    suite.faulty_database.before_read = [lambda: None, lambda: None, insert]
    again = suite.undo(undo)
    assert again.undone == UndoCounts(written=1, kept=1)
    assert suite.rows("jobs")[3:] == [(7, "Monk"), (9, "Nun")]
    assert len(numbers) == 1


@pytest.mark.parametrize("database_url", ["mysql_database_url"], indirect=True)
def test_a_change_that_is_about_to_commit_is_waited_for_and_seen(suite: Suite) -> None:
    upload = suite.load("jobs", "7,Baker\n8,Cook\n")
    undo_id = suite.accept_undo(upload.id)
    table, author = get_table("jobs"), an_author()
    with BackgroundWorker() as worker, suite.database.write() as connection:
        changes = ChangeRecorder(connection, table, author.entry)
        merge = Merge(connection, table, changes)
        merge.add(to_batch(table, [(7, "Monk")]))
        undoing = worker.submit(lambda: suite.processor().process_up_to(undo_id))
        eventually(lambda: suite.store.get(undo_id).state == State.LOADING)
        # It has begun by then; there is nothing to be seen of a statement that waits for a row.
        time.sleep(0.5)
        assert not undoing.done()
        merge.finish()
        number = enter(connection, author, changes)
        connection.commit()
        worker.result(undoing)

    undo = suite.store.get(undo_id)
    assert undo.undone == UndoCounts(written=2, removed=1, kept=1)
    why = f"a batch changed it later (change {number})"
    assert messages(suite, undo) == [("7", "kept", why)]
    assert suite.rows("jobs")[3:] == [(7, "Monk")]


@pytest.mark.parametrize("database_url", ["mysql_database_url"], indirect=True)
def test_batches_go_on_while_the_same_rows_are_undone(suite: Suite) -> None:
    ended = threading.Event()

    def send() -> Counter[str]:
        kinds: Counter[str] = Counter()
        while not ended.is_set():
            key = 100 + kinds["sent"] % 20
            batch(suite, "jobs", {"id": key, "job": f"Batch {kinds['sent']}"})
            kinds["sent"] += 1
        return kinds

    content = "".join(f"{key},Job {{0}}\n" for key in range(100, 140))
    with BackgroundWorker() as worker:
        sending = worker.submit(send)
        undos = [suite.undo(suite.load("jobs", content.format(turn))) for turn in range(10)]
        ended.set()
        sent = worker.result(sending)["sent"]

    assert sent > 10
    assert {undo.error for undo in undos} == {None}
    assert all(undo.undone is not None and undo.undone.blocked == 0 for undo in undos)
    # No batch has those.
    assert [key for key in keys(suite, "jobs") if key >= 120] == []
