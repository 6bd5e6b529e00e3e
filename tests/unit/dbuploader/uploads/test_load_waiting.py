"""Waiting for what does not answer: said in the record, no attempt, and over when it is back."""

import threading
from typing import Any

import pytest

from dbuploader.uploads.retry import LoadRetry
from muster.broker import BrokerUnavailable, Unroutable
from muster.contracts.uploads import Failure, State
from muster.database import DatabaseUnavailable
from muster.weather import StoreUnavailable
from muster.worker.shutdown import Stopped
from tests.unit.dbuploader.suite import Suite


def test_a_load_waits_for_the_database_and_says_so(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.faulty_database.refused = [DatabaseUnavailable("gone")] * 4
    said: list[tuple[State, Failure | None]] = []

    def listen(**_changes: Any) -> None:
        record = suite.store.get(upload_id)
        said.append((record.state, record.error))

    suite.faulty_store.after["update"] = [listen] * 20
    suite.processor().process_up_to(upload_id)

    waiting = [error for _, error in said if error is not None]
    assert {error.code for error in waiting} == {"waiting-for-database"}
    assert len(waiting) == 4
    upload = suite.store.get(upload_id)
    assert (upload.state, upload.error) == (State.COMPLETED, None)


@pytest.mark.parametrize(
    ("store", "call"),
    [("uploads", "get"), ("uploads", "unfinished"), ("files", "open"), ("uploads", "update")],
)
def test_a_load_waits_for_the_store(suite: Suite, store: str, call: str) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def gone(**_changes: Any) -> None:
        raise StoreUnavailable("gone")

    port = suite.faulty_files if store == "files" else suite.faulty_store
    port.before[call] = [gone, gone, gone, gone]
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED


@pytest.mark.parametrize("error", [BrokerUnavailable("gone"), Unroutable("no queue yet")])
def test_an_end_is_announced_when_the_broker_is_back(suite: Suite, error: Exception) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def gone() -> None:
        raise error

    suite.faulty_broker.before["publish"] = [gone, gone]
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).announced
    assert suite.announced().count(upload_id) == 1


def test_waiting_for_the_database_is_no_attempt(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")

    def gone_for_a_while(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            suite.faulty_database.refused = [DatabaseUnavailable("gone")] * 5

    suite.faulty_store.after["update"] = [gone_for_a_while] * 2
    suite.processor().process_up_to(upload_id)

    assert suite.store.get(upload_id).state == State.COMPLETED


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()

    def gone() -> None:
        stop.set()
        raise DatabaseUnavailable("gone")

    with pytest.raises(Stopped):
        LoadRetry(stop, alive=lambda: None).call(gone)


def test_each_wait_counts_as_life() -> None:
    lives: list[int] = []
    answers = iter([DatabaseUnavailable("gone"), DatabaseUnavailable("gone"), None])

    def call() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "there"

    assert LoadRetry(threading.Event(), alive=lambda: lives.append(1)).call(call) == "there"
    assert len(lives) == 2
