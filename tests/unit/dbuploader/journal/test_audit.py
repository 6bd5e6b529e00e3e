"""The audit: clean after whatever the loader does, and it finds what somebody changed by hand."""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest
from pyroaring import BitMap
from sqlalchemy import Connection, delete, insert, select, text, update

from dbuploader.batches.merge import Batches
from dbuploader.db.schema import (
    changed_keys,
    changes,
    former_rows,
    journal_head,
    ledger,
    receipt_keys,
)
from dbuploader.journal.audit.__main__ import audit, main
from dbuploader.journal.audit.evidence import Evidence, Finding
from dbuploader.journal.changes import pack_rows, unpack_rows
from dbuploader.journal.erasure import Erasure, Erasures
from dbuploader.journal.expiry import ChangeExpiry
from dbuploader.journal.receipts import claims_in, digest, published_keys
from muster.backends.signing_key import base64url
from muster.contracts.tables import get_table
from muster.contracts.tables.sql import hires_summary, sql_table
from muster.contracts.uploads import UNFINISHED, RowCounts, State
from tests.unit.dbuploader.suite import BATCH_LIMITS, Moments, Suite, a_signer, an_author
from tests.unit.dbuploader.uploads.test_erasing_files import accept_erasure

AT = "2021-07-27T16:02:08Z"
FIRST = f"1,Ana,{AT},1,1\n2,Ben,{AT},2,2\n3,Cid,{AT},3,3\n4,Dee,{AT},1,2\nx,Odd,{AT},1,1\n"
SECOND = f"1,Ana,{AT},1,1\n2,Bennet,{AT},2,3\n5,Eve,{AT},2,2\n5,Eve,{AT},2,2\n"
THIRD = f"2,Benjamin,{AT},2,3\n6,Fay,{AT},3,1\n7,Gus,{AT},9,1\n"


@pytest.fixture
def story(empty_suite: Suite, moments: Moments) -> Suite:
    """After uploads of every kind, a batch and an erasure; hire 2 was updated twice."""
    moments.begin(empty_suite, live_through)
    return empty_suite


def live_through(suite: Suite) -> None:
    suite.seed()
    for content in (FIRST, SECOND, THIRD):
        suite.load("hired_employees", content)
    batches = Batches(suite.database, BATCH_LIMITS)
    batches.merge(get_table("jobs"), [{"id": 4, "job": "Cook"}], None, an_author())
    suite.load("jobs", "4,Chef\n5,Baker\n")
    suite.load("jobs", "6,Tailor\n", dry_run=True)
    suite.load("jobs", "")
    cancelled = suite.accept("jobs", "7,Miner\n")
    suite.store.update(cancelled, expect=UNFINISHED, cancel_requested=True)
    suite.processor().cancel_queued()
    erase(suite, 6)
    suite.limits = replace(suite.limits, uploads=64)
    run = [suite.accept("jobs", f"{number},Job {number}\n") for number in range(10, 15)]
    suite.processor().process_up_to(run[-1])


def erase(suite: Suite, key: int) -> None:
    """Take the hire out everywhere but from files, as on request: its upload still waits."""
    table = get_table("hired_employees")
    erasure = Erasure(table, key, uuid.uuid4().hex, 1000, "1", "ana@example.com")
    assert Erasures(suite.database).erase(erasure) is not None


def findings(suite: Suite, **options: Any) -> list[Finding]:
    with suite.database.read() as connection:
        evidence = Evidence(connection, suite.database, suite.stores, patience=0.1, **options)
        return [*audit(evidence)]


@contextmanager
def by_hand(suite: Suite) -> Iterator[Callable[[str], object]]:
    """Statements as an operator may run them, foreign keys or not."""
    if suite.database.engine.dialect.name == "sqlite":
        path = str(suite.database.engine.url.database)
        with closing(sqlite3.connect(path)) as raw, raw:
            yield lambda statement: raw.execute(statement)
        return
    with suite.database.write() as connection:
        connection.execute(text("SET SESSION foreign_key_checks = 0"))
        yield lambda statement: connection.execute(text(statement))
        connection.execute(text("SET SESSION foreign_key_checks = 1"))


def uploads(suite: Suite, table: str = "hired_employees") -> list[str]:
    """Those of the table, the oldest first."""
    found = suite.store.find(owner=None, state=None, table=table, before=None, limit=100)
    return [upload.id for upload in reversed(found)]


def row_of(connection: Connection, upload_id: str) -> Any:
    return connection.execute(select(ledger).where(ledger.c.upload_id == upload_id)).one()


def run(suite: Suite, *statements: Any) -> None:
    with suite.database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def statement(*statements: str) -> Callable[[Suite], None]:
    def tamper(suite: Suite) -> None:
        with by_hand(suite) as execute:
            for each in statements:
                execute(each)

    return tamper


def ledger_row_gone(suite: Suite) -> None:
    run(suite, delete(ledger).where(ledger.c.upload_id == uploads(suite)[1]))


def number_missing(suite: Suite) -> None:
    # It wrote nothing, so that nothing else has its number.
    run(suite, delete(ledger).where(ledger.c.state == "failed"))


def count_changed(suite: Suite) -> None:
    mine = ledger.c.upload_id == uploads(suite)[0]
    run(suite, update(ledger).where(mine).values(inserted=3, unchanged=1))


def receipts_swapped(suite: Suite) -> None:
    first, second, *_ = uploads(suite)
    with suite.database.read() as connection:
        receipts = {each: row_of(connection, each).receipt for each in (first, second)}
    for mine, other in ((first, second), (second, first)):
        values = {"receipt": receipts[other]}
        run(suite, update(ledger).where(ledger.c.upload_id == mine).values(values))


def signed_again(suite: Suite, signer: Any, *, publish: bool) -> None:
    """The last receipt, by another key, with all that follows from it."""
    with suite.database.write() as connection:
        last = select(ledger).where(ledger.c.receipt.is_not(None)).order_by(ledger.c.number.desc())
        row = connection.execute(last.limit(1)).one()
        upload = suite.store.get(row.upload_id)
        latest = claims_in(row.receipt)["previous"]
        (receipt,) = signer.sign_each([(upload, {**row._mapping})], latest)
        mine = ledger.c.upload_id == row.upload_id
        connection.execute(update(ledger).where(mine).values(receipt=receipt))
        connection.execute(update(journal_head).values(receipt=digest(receipt)))
        if publish:
            signer.publish_key(connection)


def signed_by_another(suite: Suite) -> None:
    signed_again(suite, a_signer(), publish=False)


def receipt_edited(suite: Suite) -> None:
    mine = ledger.c.upload_id == uploads(suite)[0]
    with suite.database.write() as connection:
        header, payload, signature = row_of(connection, uploads(suite)[0]).receipt.split(".")
        changed = base64url(b'{"state":"completed"}')
        assert changed != payload
        receipt = f"{header}.{changed}.{signature}"
        connection.execute(update(ledger).where(mine).values(receipt=receipt))


def chain_cut(suite: Suite) -> None:
    """The last upload never was: its row and its number are gone, and the head says so."""
    with suite.database.write() as connection:
        last = connection.scalars(select(journal_head.c.number)).one()
        for table in (ledger, changes, changed_keys):
            connection.execute(delete(table).where(table.c.number == last))
        connection.execute(update(journal_head).values(number=last - 1))


def key_gone(suite: Suite) -> None:
    run(suite, delete(receipt_keys))


def head_moved_back(suite: Suite) -> None:
    run(suite, update(journal_head).values(number=journal_head.c.number - 1))


def file_swapped(suite: Suite) -> None:
    with suite.stores.files.write(uploads(suite)[0]) as file:
        file.write(FIRST.replace("Cid", "Kid").encode())


def file_gone(suite: Suite) -> None:
    suite.stores.files.delete(uploads(suite)[0])


def rejects_gone(suite: Suite) -> None:
    suite.stores.files.delete(suite.store.get(uploads(suite)[0]).rejects_name)


def rejects_of_another(suite: Suite) -> None:
    first, _, third = (suite.store.get(each) for each in uploads(suite))
    with suite.stores.files.open(third.rejects_name) as file:
        content = file.read()
    header, line = content.splitlines(keepends=True)
    with suite.stores.files.write(first.rejects_name) as changed:
        changed.write(header.replace(b'"size": %d' % len(line), b'"size": %d' % (2 * len(line))))
        changed.write(line * 2)


def change_record(suite: Suite, upload_id: str, **values: Any) -> None:
    suite.store.update(upload_id, expect=frozenset(State), **values)


def state_changed(suite: Suite) -> None:
    change_record(suite, uploads(suite)[0], state=State.COMPLETED)


def record_counts_changed(suite: Suite) -> None:
    change_record(suite, uploads(suite)[0], rows=RowCounts(read=5, inserted=5))


def record_unfinished(suite: Suite) -> None:
    change_record(suite, uploads(suite)[0], state=State.VALIDATING)


def records_swapped(suite: Suite) -> None:
    """All but their ids, as if each had been the other."""
    jobs = [each for each in uploads(suite, "jobs") if suite.store.get(each).change][-2:]
    one, other = (suite.store.get(each) for each in jobs)
    for mine, its in ((one, other), (other, one)):
        fields = ("filename", "size", "sha256", "submitted_at", "change")
        change_record(suite, mine.id, **{name: getattr(its, name) for name in fields})


def uploader_changed(suite: Suite) -> None:
    change_record(suite, uploads(suite)[0], owner="mallory")


def record_added(suite: Suite) -> None:
    change_record(suite, suite.accept("jobs", "77,Spy\n"), state=State.COMPLETED)


def bitmap_of_change(suite: Suite, upload_id: str, effect: str, keys: BitMap) -> None:
    change = suite.store.get(upload_id).change
    mine = (changed_keys.c.number == change) & (changed_keys.c.effect == effect)
    values = {
        "bitmap": keys.serialize(),
        "first_key": keys.min(),
        "last_key": keys.max(),
    }
    run(suite, update(changed_keys).where(mine).values(values))


def bitmap_changed(suite: Suite) -> None:
    bitmap_of_change(suite, uploads(suite)[0], "inserted", BitMap([1, 2, 3]))


def bitmap_damaged(suite: Suite) -> None:
    mine = changed_keys.c.number == suite.store.get(uploads(suite)[0]).change
    run(suite, update(changed_keys).where(mine).values(bitmap=b"garbage"))


def bitmap_of_others(suite: Suite) -> None:
    """As many keys, in the place of those that were inserted."""
    bitmap_of_change(suite, uploads(suite)[0], "inserted", BitMap([1, 2, 3, 40]))


def change_gone(suite: Suite) -> None:
    run(suite, delete(changes).where(changes.c.entry == uploads(suite)[0]))


def former_rows_gone(suite: Suite) -> None:
    run(suite, delete(former_rows).where(former_rows.c.entry == uploads(suite)[1]))


def former_rows_of_another(suite: Suite) -> None:
    """The same row, as it was before another change."""
    _, second, third = uploads(suite)
    with suite.database.write() as connection:
        content = {
            each: connection.scalars(
                select(former_rows.c.content).where(former_rows.c.entry == each)
            ).one()
            for each in (second, third)
        }
        for mine, other in ((second, third), (third, second)):
            entry = former_rows.c.entry == mine
            connection.execute(update(former_rows).where(entry).values(content=content[other]))
            size = {"former_bytes": len(content[other])}
            connection.execute(update(changes).where(changes.c.entry == mine).values(size))


def former_row_with_another_key(suite: Suite) -> None:
    edit_former(suite, 0, 3)


def former_row_changed(suite: Suite) -> None:
    edit_former(suite, 1, "Bert")


def edit_former(suite: Suite, place: int, value: Any) -> None:
    entry = uploads(suite)[1]
    with suite.database.write() as connection:
        mine = former_rows.c.entry == entry
        rows = unpack_rows(connection.scalars(select(former_rows.c.content).where(mine)).one())
        field = rows.schema.field(place)
        changed = rows.set_column(place, field, pa.array([value], field.type))
        content = pack_rows(changed)
        connection.execute(update(former_rows).where(mine).values(content=content))
        size = {"former_bytes": len(content)}
        connection.execute(update(changes).where(changes.c.entry == entry).values(size))


def summary_wrong(suite: Suite) -> None:
    run(suite, update(hires_summary).values(hired=hires_summary.c.hired + 1))


def summary_row_gone(suite: Suite) -> None:
    run(suite, delete(hires_summary).where(hires_summary.c.department_id == 3))


TAMPERINGS: dict[str, tuple[Callable[[Suite], None], str]] = {
    "a row changed by hand": (statement("UPDATE jobs SET job = 'King' WHERE id = 2"), "values"),
    "a hire renamed": (statement("UPDATE hired_employees SET name = 'X' WHERE id = 2"), "values"),
    "a row deleted": (statement("DELETE FROM jobs WHERE id = 5"), "rows"),
    "a row added": (statement("INSERT INTO jobs VALUES (99, 'Spy')"), "rows"),
    "an orphan": (
        statement("UPDATE hired_employees SET department_id = 99 WHERE id = 3"),
        "foreign keys",
    ),
    "a parent deleted": (statement("DELETE FROM departments WHERE id = 3"), "rows"),
    "a row of the ledger gone": (ledger_row_gone, "numbers"),
    "a number missing": (number_missing, "numbers"),
    "a count in the ledger changed": (count_changed, "receipts"),
    "two receipts swapped": (receipts_swapped, "receipts"),
    "a receipt by another key": (signed_by_another, "receipts"),
    "a receipt edited": (receipt_edited, "receipts"),
    "the chain cut": (chain_cut, "receipts"),
    "the keys gone": (key_gone, "receipts"),
    "the head moved back": (head_moved_back, "numbers"),
    "a file swapped": (file_swapped, "files"),
    "a file gone": (file_gone, "files"),
    "rejects gone": (rejects_gone, "files"),
    "rejects of another": (rejects_of_another, "files"),
    "a record's state changed": (state_changed, "records"),
    "a record's counts changed": (record_counts_changed, "records"),
    "a record that never becomes final": (record_unfinished, "records"),
    "two records swapped": (records_swapped, "records"),
    "an uploader changed": (uploader_changed, "records"),
    "a record added": (record_added, "records"),
    "a bitmap changed": (bitmap_changed, "keys"),
    "a bitmap damaged": (bitmap_damaged, "numbers"),
    "a bitmap of other keys": (bitmap_of_others, "rows"),
    "a change gone": (change_gone, "numbers"),
    "former rows gone": (former_rows_gone, "former rows"),
    "former rows of another": (former_rows_of_another, "values"),
    "a former row with another key": (former_row_with_another_key, "former rows"),
    "a former row changed": (former_row_changed, "values"),
    "the summary wrong": (summary_wrong, "summary"),
    "a row of the summary gone": (summary_row_gone, "summary"),
}


def test_all_adds_up_after_uploads_of_every_kind(story: Suite) -> None:
    assert findings(story) == []


@pytest.mark.parametrize("name", TAMPERINGS)
def test_it_is_found_that_somebody_changed_something(story: Suite, name: str) -> None:
    tamper, check = TAMPERINGS[name]
    tamper(story)
    first, *_ = findings(story)
    assert first.check == check, first
    assert first.expected != first.found


def test_every_finding_says_what_should_be_there_and_what_is(story: Suite) -> None:
    file_gone(story)
    count_changed(story)
    checks = [finding.check for finding in findings(story)]
    assert (
        {"receipts", "keys", "counts", "records", "files"} >= set(checks) >= {"receipts", "files"}
    )
    first = str(findings(story)[0])
    assert first.startswith("receipts: number 3, upload ")
    assert "'inserted': 3" in first
    assert "'inserted': 4" in first


def test_a_former_upload_without_number_and_its_rows_are_taken_for_older(story: Suite) -> None:
    old = uploads(story, "departments")[0]
    with story.database.write() as connection:
        row = {**row_of(connection, uploads(story)[0])._mapping}
        row |= {"upload_id": "old", "table_name": "jobs", "number": None, "receipt": None}
        before = row_of(connection, old).decided_at - timedelta(days=1)
        row |= {"decided_at": before, "rejects": None, "change": None}
        connection.execute(insert(ledger).values(row))
        connection.execute(insert(sql_table("jobs")).values(id=50, job="Old"))
    with story.stores.files.write("old") as file:
        file.write(b"")
    upload = replace(story.store.get(uploads(story)[0]), id="old", table="jobs", rejects=None)
    story.store.accept(replace(upload, size=0, sha256=sha256(b"").hexdigest(), change=None))
    with story.database.read() as connection:
        evidence = Evidence(connection, story.database, story.stores, patience=0.1)
        assert [*audit(evidence)] == []
    assert evidence.notes["rows of jobs from before the journal"] == 1


def test_what_was_decided_since_the_audit_began_is_no_finding(story: Suite) -> None:
    with story.database.read() as connection:
        evidence = Evidence(connection, story.database, story.stores, patience=0.1)
        evidence.head()
        story.load("jobs", "60,Late\n")
        assert [*audit(evidence)] == []


def test_a_kept_copy_of_the_keys_shows_a_forger_who_published_another(story: Suite) -> None:
    with story.database.read() as connection:
        kept = published_keys(connection)
    signed_again(story, a_signer(), publish=True)
    assert findings(story) == []
    (found,) = findings(story, trusted=kept)
    assert "an unknown key" in found.found


def test_the_command_ends_with_0_1_or_2(
    story: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(story.home))
    monkeypatch.setenv("MUSTER_CSV_STORE_URL", story.urls["csv_store_url"])
    monkeypatch.setenv("MUSTER_EMPLOYMENT_DATABASE_URL", story.urls["employment_database_url"])
    assert main([]) == 0
    assert "Everything adds up" in capsys.readouterr().out
    file_gone(story)
    summary_wrong(story)
    assert main([]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["--all"]) == 1
    assert len(capsys.readouterr().out.splitlines()) > 2
    monkeypatch.setenv("MUSTER_EMPLOYMENT_DATABASE_URL", f"sqlite:///{story.home}/none/none.db")
    assert main([]) == 2
    assert "could be seen" in capsys.readouterr().err
    kept = story.home / "kept.json"
    kept.write_text(json.dumps({"no": "keys"}))
    assert main(["--keys", str(kept)]) == 2


def test_all_adds_up_after_undos_erasures_and_expiry(story: Suite) -> None:
    _, second, third = (story.store.get(each) for each in uploads(story))
    undo = story.undo(third)
    assert undo.undone is not None
    story.undo(undo)
    story.undo(second, dry_run=True)
    story.undo(story.store.get(uploads(story, "departments")[0]), mode="all")
    last = story.load("hired_employees", f"3,Kid,{AT},3,3\n8,Hal,{AT},1,1\n")
    assert story.undo(last).state == State.COMPLETED
    story.load("hired_employees", f"9,Ida,{AT},1,1\nx,Ida,{AT},1,1\n")
    for key in (4, 9, 2):
        erased = accept_erasure(story, key=key)
        story.processor().process_up_to(erased)
    assert findings(story) == []

    ChangeExpiry(story.database, days=0).run_if_due()
    assert findings(story) == []
    run(story, update(ledger).where(ledger.c.upload_id == undo.id).values(undone=None))
    assert {finding.check for finding in findings(story)} >= {"receipts"}
