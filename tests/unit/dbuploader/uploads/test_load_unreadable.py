"""Upload records and messages that can't be read hold up no load, and are not lost."""

from typing import Any

import pytest
from sqlalchemy import ColumnElement, select, update

from dbuploader.db.schema import ledger, load_attempts
from dbuploader.uploads.ledger import Ledger
from muster.broker import Ack, DeadLetter, Delivery, Retry
from muster.contracts.uploads import UNFINISHED, Cause, State, UnreadableRecord, UploadWarning
from tests.contract.rawrecords import set_raw
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.test_consumer import FakeProcessor, accepted, consumer, with_processor
from tests.unit.muster.test_strict_json import HOSTILE


def set_state(suite: Suite, upload_id: str, state: str) -> None:
    set_raw(suite.urls["csv_store_url"], upload_id, state=state)


def handled(suite: Suite, upload_id: str) -> object:
    loader = with_processor(suite.processor())
    return loader.handle(Delivery("upload.accepted", accepted(upload_id)))


def test_those_behind_a_record_that_cannot_be_read_are_loaded(suite: Suite) -> None:
    first, bad, behind = (suite.accept("jobs", f"{key},Baker\n") for key in (7, 8, 9))
    set_state(suite, bad, "undone")

    assert handled(suite, behind) == Ack()

    assert [suite.store.get(each).state for each in (first, behind)] == [State.COMPLETED] * 2
    assert [record.upload_id for record in suite.store.set_aside(9)] == [bad]


def test_its_message_comes_again_until_a_version_that_can_read_it_runs(suite: Suite) -> None:
    bad = suite.accept("jobs", "8,Baker\n")
    set_state(suite, bad, "undone")
    assert [handled(suite, bad) for _ in range(3)] == [Retry(60)] * 3

    set_state(suite, bad, "queued")
    assert suite.store.put_back(bad) == 1
    assert handled(suite, bad) == Ack()

    assert suite.store.get(bad).state == State.COMPLETED
    assert suite.rows("jobs")[-1] == (8, "Baker")


def test_a_record_that_another_version_changes_during_its_load_costs_no_attempt(
    suite: Suite,
) -> None:
    bad, behind = suite.accept("jobs", "8,Baker\n"), suite.accept("jobs", "9,Cook\n")

    def change(**_changes: Any) -> None:
        set_state(suite, bad, "undone")

    for _ in range(5):
        set_state(suite, bad, "queued")
        suite.store.put_back()
        suite.faulty_files.before["open"] = [change]
        with pytest.raises(UnreadableRecord):
            suite.processor().process_up_to(bad)
    assert suite.rows("jobs")[-1] == (3, "Editor")

    suite.processor().process_up_to(behind)
    assert suite.rows("jobs")[-1] == (9, "Cook")
    set_state(suite, bad, "queued")
    suite.store.put_back()
    suite.processor().process_up_to(bad)
    assert suite.store.get(bad).state == State.COMPLETED
    assert Ledger(suite.database, suite.signer).find(suite.store.get(bad)) is not None


def test_a_record_that_another_version_changes_as_its_message_comes_is_not_forgotten(
    suite: Suite,
) -> None:
    bad = suite.accept("jobs", "8,Baker\n")

    def change(**_changes: Any) -> None:
        set_state(suite, bad, "undone")

    suite.faulty_store.before["unfinished"] = [change]

    assert handled(suite, bad) == Retry(60)


def decided_by_another_version(suite: Suite, upload_id: str, **values: str) -> None:
    """Its loader died once it was decided, with these values in the ledger."""
    suite.processor().process_up_to(upload_id)
    with suite.database.write() as connection:
        mine = ledger.c.upload_id == upload_id
        connection.execute(update(ledger).where(mine).values(**values))
    set_raw(suite.urls["csv_store_url"], upload_id, state="loading", announced=False)


def test_those_behind_an_upload_that_another_version_decided_are_loaded(suite: Suite) -> None:
    bad, behind = suite.accept("jobs", "8,Baker\n"), suite.accept("jobs", "9,Cook\n")
    decided_by_another_version(suite, bad, state="undone")

    assert handled(suite, behind) == Ack()
    assert handled(suite, bad) == Retry(60)

    assert suite.store.get(behind).state == State.COMPLETED
    assert suite.store.get(bad).state == State.LOADING


def test_fields_of_another_version_in_the_ledger_are_passed_over(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "8,Baker\n")
    causes = '[{"code": "type-error", "rows": 1, "later": [1]}]'
    warnings = '[{"code": "preamble", "later": {}}]'
    decided_by_another_version(suite, upload_id, causes=causes, warnings=warnings)

    assert handled(suite, upload_id) == Ack()

    upload = suite.store.get(upload_id)
    assert (upload.state, upload.causes) == (State.COMPLETED, (Cause("type-error", rows=1),))
    assert upload.warnings == (UploadWarning("preamble"),)


def test_those_behind_it_are_cancelled(suite: Suite) -> None:
    bad, behind = suite.accept("jobs", "8,Baker\n"), suite.accept("jobs", "9,Cook\n")
    for upload_id in (bad, behind):
        suite.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)
    set_raw(suite.urls["csv_store_url"], bad, size="large")

    suite.processor().cancel_queued()

    assert suite.store.get(behind).state == State.CANCELLED


@pytest.mark.parametrize("body", HOSTILE)
def test_a_message_that_cannot_be_read_is_a_dead_letter(body: bytes) -> None:
    verdict = consumer(FakeProcessor()).handle(Delivery("upload.accepted", body))

    assert isinstance(verdict, DeadLetter)
    assert "upload.accepted" in verdict.reason


def test_a_kind_that_this_version_does_not_know_waits_and_holds_nothing_up(suite: Suite) -> None:
    first, odd, behind = (suite.accept("jobs", f"{key},Baker\n") for key in (7, 8, 9))
    set_raw(suite.urls["csv_store_url"], odd, kind="replacement")

    assert handled(suite, odd) == Retry(60)
    assert handled(suite, behind) == Ack()

    states = [suite.store.get(each).state for each in (first, behind)]
    assert states == [State.COMPLETED, State.COMPLETED]
    with suite.database.read() as connection:
        assert connection.execute(select(load_attempts).where(_at(odd))).first() is None


def _at(upload_id: str) -> ColumnElement[bool]:
    return load_attempts.c.upload_id == upload_id
