"""In its turn an erasure removes what of the row stands outside the database, and only that."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from dbuploader.db.schema import changes
from dbuploader.journal.audit.__main__ import audit
from dbuploader.journal.audit.evidence import Evidence
from muster.contracts.uploads import UNFINISHED, FilesRemoved, State, Upload, now
from muster.filestore import FileNotStored
from muster.worker.shutdown import Stopped
from tests.unit.dbuploader.journal.test_erasing_rows import NAME, hires, holding
from tests.unit.dbuploader.suite import Killed, Suite, killed

OTHERS = hires("Ana", "Bo", first=1)
FAULTY = "x,Bad,never,1,1\n"


def accept_erasure(suite: Suite, key: int = 7, table: str = "hired_employees") -> str:
    upload_id = uuid.uuid4().hex
    suite.store.accept(
        Upload(
            id=upload_id,
            table=table,
            filename=f"{table} {key}",
            size=0,
            sha256="",
            owner="eva",
            submitted_by="eva@example.com",
            submitted_at=now(),
            request_id=f"request-{upload_id}",
            traceparent=f"00-{upload_id}-{'1' * 16}-01",
            kind="erasure",
            erases=key,
        )
    )
    return upload_id


def erase(suite: Suite, **where: Any) -> Upload:
    erasure = accept_erasure(suite, **where)
    suite.processor().process_up_to(erasure)
    return suite.store.get(erasure)


def stored(suite: Suite) -> Iterator[bytes]:
    """Whatever is in the store: files, rejects, records and what is kept with them."""
    for path in (suite.home / "store" / "files").rglob("*"):
        if path.is_file():
            yield path.read_bytes()
    uploads = suite.store.find(owner=None, state=None, table=None, before=None, limit=100)
    for upload in uploads:
        yield repr(upload).encode()
        yield from suite.store.contents([upload.id]).values()


def is_stored(suite: Suite, text: str = NAME) -> bool:
    return any(text.encode() in each for each in stored(suite))


def is_kept(suite: Suite, upload: Upload) -> bool:
    try:
        suite.stores.open_file(suite.store.get(upload.id)).close()
    except FileNotStored:
        return False
    return True


SENT: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "loaded": (hires(NAME), {}),
    "rejected": (f"7,{NAME},never,1,1\n", {}),
    "a key as people write it": (f'" 007.0",{NAME},never,1,1\n', {}),
    "cut": (f"7,{NAME}\n", {}),
    "not split into cells": (f'7,{NAME} "x,2021-07-27T16:02:08Z,1,1\n', {}),
    "checked only": (hires(NAME), {"dry_run": True}),
    "failed": (f"7,{NAME},never,1,1\n", {"max_rejects": 0}),
    "not read": (f"a,b,c\n7,{NAME},x\n", {}),
    "not read, in another encoding": (f"a,b,c\n7,{NAME},x\n".encode("utf-16"), {}),
}


@pytest.mark.parametrize("what", SENT)
def test_files_and_rejects_that_may_hold_the_row_go(suite: Suite, what: str) -> None:
    suite.load("hired_employees", hires("Later", first=7))
    content, options = SENT[what]
    upload = suite.load("hired_employees", content, **options)
    other = suite.load("hired_employees", OTHERS + FAULTY)
    text = NAME if isinstance(content, str) else NAME.encode("utf-16-le").decode("latin-1")
    assert is_stored(suite, NAME) or b"".join(stored(suite)).find(text.encode("latin-1")) > 0
    erasure = erase(suite)
    assert (erasure.state, erasure.error) == (State.COMPLETED, None)
    assert not is_stored(suite)
    assert b"".join(stored(suite)).find(text.encode("latin-1")) == -1
    assert holding(suite) == set()
    after = suite.store.get(upload.id)
    assert after.files_removed is not None
    assert (after.files_removed.why, after.files_removed.by) == ("erased", erasure.id)
    assert (after.state, after.rows, after.sha256) == (upload.state, upload.rows, upload.sha256)
    assert [(each.code, each.rows) for each in after.causes] == [
        (each.code, each.rows) for each in upload.causes
    ]
    assert is_kept(suite, other)
    assert suite.rejects(other.id)
    assert suite.store.get(other.id) == other


def test_files_of_other_rows_tables_and_of_later_uploads_stay(suite: Suite) -> None:
    kept = [
        suite.load("hired_employees", hires("Ana", first=70) + FAULTY),
        suite.load("hired_employees", hires("Ana", first=17), dry_run=True),
        suite.load("jobs", "7,Cook\nx,Bad\n"),
    ]
    suite.load("hired_employees", hires(NAME))
    erasure = accept_erasure(suite)
    later = suite.accept("hired_employees", hires("Again"))
    suite.processor().process_up_to(later)
    assert suite.store.get(erasure).state is State.COMPLETED
    assert [is_kept(suite, each) for each in kept] == [True] * 3
    assert is_kept(suite, suite.store.get(later))
    assert [row[1] for row in suite.rows("hired_employees")] == ["Again", "Ana"]


def test_what_was_queued_before_it_goes_too(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    waiting = suite.accept("hired_employees", hires(NAME, "Bo"))
    erasure = erase(suite)
    assert erasure.state is State.COMPLETED
    assert not is_kept(suite, suite.store.get(waiting))
    assert not is_stored(suite)


def accept_load(suite: Suite, dry_run: Upload, content: str) -> str:
    """A load of what the dry run checked, which waits for its loader; returns its id."""
    upload_id = uuid.uuid4().hex
    with suite.stores.files.write(upload_id) as file:
        file.write(content.encode())
    options = replace(dry_run.options, dry_run=False)
    record = replace(dry_run.as_accepted(), id=upload_id, options=options, announced=False)
    return suite.store.accept(replace(record, loads=dry_run.id)).id


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_copy_of_a_dry_run_that_was_made_meanwhile_goes_too(suite: Suite, when: str) -> None:
    checked = suite.load("hired_employees", hires(NAME), dry_run=True)
    others = suite.load("hired_employees", OTHERS, dry_run=True)
    suite.load("hired_employees", hires(NAME))
    erasure = accept_erasure(suite)
    copied, clean = accept_load(suite, checked, hires(NAME)), accept_load(suite, others, OTHERS)
    suite.processor().process_up_to(erasure)
    getattr(suite.faulty_store, when)["drop_contents"].append(killed)
    with pytest.raises(Killed):
        suite.processor().process_up_to(copied)
    suite.processor().process_up_to(clean)
    after = suite.store.get(copied)
    assert (after.state, after.error and after.error.code) == (State.FAILED, "file-erased")
    assert after.files_removed is not None
    assert (after.files_removed.why, after.files_removed.by) == ("erased", erasure)
    assert not is_stored(suite)
    assert suite.store.get(clean).state is State.COMPLETED
    assert NAME not in {row[1] for row in suite.rows("hired_employees")}


def test_the_record_names_the_change_that_was_made_before(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erasure = erase(suite)
    with suite.database.read() as connection:
        number = connection.scalars(
            select(changes.c.number).where(changes.c.entry == erasure.id)
        ).one()
    assert erasure.change == number


def test_a_row_that_others_refer_to_fails_it_and_all_stays(suite: Suite) -> None:
    jobs = suite.load("jobs", "9,Cook\n")
    suite.load("hired_employees", hires("Ana").replace(",1\n", ",9\n"))
    erasure = erase(suite, key=9, table="jobs")
    assert erasure.state is State.FAILED
    assert erasure.error is not None
    assert erasure.error.code == "row-referred"
    assert is_kept(suite, jobs)


def test_messages_of_expired_files_go_too(suite: Suite) -> None:
    upload = suite.load("hired_employees", f"7,{NAME},{NAME},1,1\n")
    expired = FilesRemoved("expired", now())
    suite.stores.remove_files({upload.id: {"files_removed": expired}})
    suite.load("hired_employees", hires("Later"))
    assert is_stored(suite)
    erasure = erase(suite)
    assert not is_stored(suite)
    after = suite.store.get(upload.id).files_removed
    assert after is not None
    assert (after.why, after.by) == ("expired", erasure.id)


def test_the_audit_finds_nothing_wrong_afterwards(suite: Suite) -> None:
    first = suite.load("hired_employees", hires(NAME, "Bo"))
    suite.load("hired_employees", hires("Zora", "Bob") + FAULTY)
    suite.load("hired_employees", f"7,{NAME},never,1,1\n")
    suite.undo(first)
    for _ in range(2):
        assert erase(suite).state is State.COMPLETED
    suite.load("hired_employees", hires("Later"))
    with suite.database.read() as connection:
        evidence = Evidence(connection, suite.database, suite.stores, patience=0.1)
        assert [*audit(evidence)] == []


@pytest.mark.parametrize("call", ["drop_contents", "delete"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_it_goes_on_after_a_death(suite: Suite, call: str, when: str) -> None:
    suite.load("hired_employees", hires(NAME) + FAULTY)
    suite.load("hired_employees", f"7,{NAME},never,1,1\n")
    erasure = accept_erasure(suite)
    port = suite.faulty_store if call == "drop_contents" else suite.faulty_files
    getattr(port, when)[call].append(killed)
    with pytest.raises(Killed):
        suite.processor().process_up_to(erasure)
    assert suite.store.get(erasure).state in UNFINISHED
    suite.processor().process_up_to(erasure)
    assert suite.store.get(erasure).state is State.COMPLETED
    assert not is_stored(suite)
    assert holding(suite) == set()


def test_it_heeds_a_stop(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erasure = accept_erasure(suite)
    suite.faulty_store.after["drop_contents"].append(lambda **_: suite.stop.set())
    with pytest.raises(Stopped):
        suite.processor().process_up_to(erasure)
    suite.stop.clear()
    suite.processor().process_up_to(erasure)
    assert suite.store.get(erasure).state is State.COMPLETED
