"""The journal: what uploads and batches wrote, under numbers in the order of their commits."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pyroaring import BitMap
from sqlalchemy import Row, select

from dbuploader.arrow import to_batch, to_rows
from dbuploader.batches.merge import Batches
from dbuploader.db.schema import changed_keys, changes, former_rows, journal_head, ledger
from dbuploader.journal import changes as journal
from dbuploader.journal.changes import ChangeRecorder, unpack_rows
from muster.contracts.tables import get_table
from muster.contracts.uploads import State
from tests.unit.dbuploader.suite import BATCH_LIMITS, Killed, Suite, an_author, killed

SEEDED = 2
"""How many changes there are in a new suite: departments, and the jobs 1 to 3."""


def entries(suite: Suite) -> list[Row[Any]]:
    """The changes, in their order."""
    with suite.database.read() as connection:
        return [*connection.execute(select(changes).order_by(changes.c.number))]


def keys(suite: Suite, number: int | None) -> dict[str, list[int]]:
    """The keys noted under the number, by effect."""
    found: dict[str, BitMap] = {}
    with suite.database.read() as connection:
        of_number = select(changed_keys).where(changed_keys.c.number == number)
        for row in connection.execute(of_number):
            bitmap = BitMap.deserialize(row.bitmap)
            assert (bitmap.min(), bitmap.max()) == (row.first_key, row.last_key)
            found[row.effect] = found.get(row.effect, BitMap()) | bitmap
    return {effect: [*bitmap] for effect, bitmap in found.items()}


def former(suite: Suite, entry: str) -> list[tuple[Any, ...]]:
    """The rows as they were before the entry."""
    with suite.database.read() as connection:
        mine = select(former_rows.c.content).where(former_rows.c.entry == entry)
        parts = connection.scalars(mine.order_by(former_rows.c.part))
        return [row for content in parts for row in to_rows(unpack_rows(content))]


def numbers(suite: Suite) -> list[int]:
    """All numbers that were given, of the ledger and of batches."""
    with suite.database.read() as connection:
        found = {*connection.scalars(select(ledger.c.number))}
        found.update(connection.scalars(select(changes.c.number)))
    return sorted(found)


def head(suite: Suite) -> int:
    with suite.database.read() as connection:
        return int(connection.scalar(select(journal_head.c.number)) or 0)


def test_new_rows_cost_a_bitmap_and_updated_ones_stand_as_they_were(suite: Suite) -> None:
    first = suite.load("jobs", "11,Clerk\n12,Nurse\n13,Editor\n")
    second = suite.load("jobs", "12,Cook\n13,Editor\n14,Baker\n")

    assert (first.change, second.change) == (SEEDED + 1, SEEDED + 2)
    assert keys(suite, SEEDED + 1) == {"inserted": [11, 12, 13]}
    assert keys(suite, SEEDED + 2) == {"inserted": [14], "updated": [12], "unchanged": [13]}
    assert former(suite, first.id) == []
    assert former(suite, second.id) == [(12, "Nurse")]
    one, two = entries(suite)[SEEDED:]
    assert (one.entry, one.kind, one.table_name) == (first.id, "upload", "jobs")
    assert (one.owner, one.made_by) == ("1", "ana@example.com")
    assert (two.inserted, two.updated, two.removed, two.expired_at) == (1, 1, 0, None)
    assert (one.former_bytes, two.former_bytes > 0) == (0, True)


def test_what_writes_nothing_has_a_number_but_is_no_change(suite: Suite) -> None:
    suite.load("jobs", "11,Clerk\n")
    again = suite.load("jobs", "11,Clerk\n")
    failed = suite.load("jobs", "x,Odd\n12,Nurse\n", max_rejects=0)
    tried = suite.load("jobs", "12,Nurse\n", dry_run=True)

    assert [each.change for each in (again, failed, tried)] == [None] * 3
    assert [each.state for each in (failed, tried)] == [State.FAILED, State.VALIDATED]
    assert keys(suite, SEEDED + 2) == {"unchanged": [11]}
    assert (keys(suite, SEEDED + 3), keys(suite, SEEDED + 4)) == ({}, {})
    assert numbers(suite) == [*range(1, SEEDED + 5)]
    assert head(suite) == SEEDED + 4


def test_each_upload_of_a_run_is_a_change_of_its_own(suite: Suite) -> None:
    suite.limits = replace(suite.limits, uploads=64)
    accepted = [
        suite.accept("jobs", "11,Clerk\n"),
        suite.accept("jobs", "11,Cook\n12,Nurse\n"),
        suite.accept("jobs", "13,Baker\nx,Odd\n", max_rejects=0),
        suite.accept("jobs", "12,Nurse\n"),
        suite.accept("jobs", "11,Baker\n"),
    ]
    suite.processor().process_up_to(accepted[-1])

    uploads = [suite.store.get(upload_id) for upload_id in accepted]
    assert [upload.change for upload in uploads] == [SEEDED + 1, SEEDED + 2, None, None, SEEDED + 5]
    assert keys(suite, SEEDED + 2) == {"inserted": [12], "updated": [11]}
    assert keys(suite, SEEDED + 3) == {}
    assert [former(suite, upload.id) for upload in uploads] == [
        [],
        [(11, "Clerk")],
        [],
        [],
        [(11, "Cook")],
    ]
    assert numbers(suite) == [*range(1, SEEDED + 6)]


def test_a_batch_is_a_change_and_a_refused_one_is_none(suite: Suite) -> None:
    batches, jobs, author = Batches(suite.database, BATCH_LIMITS), get_table("jobs"), an_author()
    batches.merge(jobs, [{"id": 11, "job": "Clerk"}], None, author)
    assert batches.merge(jobs, [{"id": 12, "job": ""}], None, an_author()).status == 422
    later = suite.load("jobs", "11,Cook\n")

    assert later.change == SEEDED + 2
    batch, _ = entries(suite)[SEEDED:]
    assert (batch.entry, batch.kind, batch.made_by) == (author.entry, "batch", author.made_by)
    assert keys(suite, SEEDED + 1) == {"inserted": [11]}


def test_what_a_load_left_in_the_journal_goes_with_its_transaction(suite: Suite) -> None:
    suite.load("jobs", "11,Clerk\n")
    upload_id = suite.accept("jobs", "11,Cook\nx,Odd\n")
    # Between the rows and COMMIT the rejects are stored.
    suite.faulty_files.before["write"].append(killed)
    with suppress(Killed):
        suite.processor().process_up_to(upload_id)
    assert (former(suite, upload_id), head(suite)) == ([], SEEDED + 1)
    suite.processor().process_up_to(upload_id)

    assert former(suite, upload_id) == [(11, "Clerk")]
    assert numbers(suite) == [*range(1, SEEDED + 3)]


def test_numbers_of_writers_at_once_have_no_gap_and_each_key_one_last_writer(
    suite: Suite,
) -> None:
    batches, jobs = Batches(suite.database, BATCH_LIMITS), get_table("jobs")

    def write(number: int) -> None:
        batches.merge(jobs, [{"id": 11 + number % 3, "job": f"Job {number}"}], None, an_author())

    with ThreadPoolExecutor(4) as pool:
        [*pool.map(write, range(24))]
    suite.load("jobs", "19,Clerk\n")

    assert numbers(suite) == [*range(1, SEEDED + 26)]
    assert head(suite) == SEEDED + 25
    # Replayed in the order of the numbers, each former value is what the change before wrote.
    for key, job in suite.rows("jobs")[3:6]:
        of_key = [each for each in entries(suite)[SEEDED:-1] if key in written(suite, each)]
        values = [former(suite, each.entry) for each in of_key]
        assert values[0] == []
        assert len({*(row for value in values for row in value), (key, job)}) == len(of_key)


def written(suite: Suite, change: Row[Any]) -> set[int]:
    """The keys that the change inserted or updated."""
    of_change = keys(suite, change.number)
    return {*of_change.get("inserted", []), *of_change.get("updated", [])}


def test_many_keys_and_many_former_rows_go_in_parts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_KEYS_IN_PART", 100)
    monkeypatch.setattr(journal, "_PART_BYTES", 2_000)
    monkeypatch.setattr(journal, "_HELD_BYTES", 1_000)
    jobs = get_table("jobs")
    before = [(key, f"Job {key}") for key in range(1, 1001)]
    with suite.database.write() as connection:
        recorder = ChangeRecorder(connection, jobs, "entry")
        for start in range(0, 1000, 50):
            recorder.update(to_batch(jobs, before[start : start + 50]))
            if recorder.is_full:
                recorder.flush()
        recorder.flush()
        number = journal.enter(connection, replace(an_author(), entry="entry"), recorder)

    assert keys(suite, number) == {"updated": [*range(1, 1001)]}
    assert former(suite, "entry") == before
    (entry,) = entries(suite)[SEEDED:]
    with suite.database.read() as connection:
        parts = connection.execute(select(former_rows)).all()
        mine = changed_keys.c.number == number
        assert len(connection.execute(select(changed_keys).where(mine)).all()) == 10
    assert len(parts) > 5
    assert sum(len(part.content) for part in parts) == entry.former_bytes
    assert [part.first_key for part in parts] == sorted(part.first_key for part in parts)
