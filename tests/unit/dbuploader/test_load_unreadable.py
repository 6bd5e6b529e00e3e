"""Upload records and messages that can't be read hold up no load, and are not lost."""

from typing import Any

import pytest

from dbuploader.consumer import Consumer
from dbuploader.deciding import Decisions
from dbuploader.watching import Watchdog
from muster.broker import Ack, DeadLetter, Delivery, Retry
from muster.heartbeat import Heartbeat
from muster.uploads import UNFINISHED, State, UnreadableRecord
from tests.contract.rawrecords import set_raw
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.test_consumer import FakeFinisher, accepted, consumer, no_sweep
from tests.unit.muster.test_strict_json import HOSTILE


def set_state(suite: Suite, upload_id: str, state: str) -> None:
    set_raw(suite.urls["csv_store_url"], upload_id, state=state)


def handled(suite: Suite, upload_id: str) -> object:
    loader = Consumer(suite.finisher(), Watchdog(300), Heartbeat(), no_sweep())
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
        suite.faulty_store.before["open_file"] = [change]
        with pytest.raises(UnreadableRecord):
            suite.finisher().finish_up_to(bad)
    assert suite.rows("jobs")[-1] == (3, "Editor")

    suite.finisher().finish_up_to(behind)
    assert suite.rows("jobs")[-1] == (9, "Cook")
    set_state(suite, bad, "queued")
    suite.store.put_back()
    suite.finisher().finish_up_to(bad)
    assert suite.store.get(bad).state == State.COMPLETED
    assert Decisions(suite.database).find(suite.store.get(bad)) is not None


def test_those_behind_it_are_cancelled(suite: Suite) -> None:
    bad, behind = suite.accept("jobs", "8,Baker\n"), suite.accept("jobs", "9,Cook\n")
    for upload_id in (bad, behind):
        suite.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)
    set_raw(suite.urls["csv_store_url"], bad, size="large")

    suite.finisher().cancel_queued()

    assert suite.store.get(behind).state == State.CANCELLED


@pytest.mark.parametrize("body", HOSTILE)
def test_a_message_that_cannot_be_read_is_a_dead_letter(body: bytes) -> None:
    verdict = consumer(FakeFinisher()).handle(Delivery("upload.accepted", body))

    assert isinstance(verdict, DeadLetter)
    assert "upload.accepted" in verdict.reason
