"""Waiting for a change of an upload record, whoever makes it."""

import threading
import time

import pytest

from muster.contracts.uploads import State, Upload
from muster.uploadstore import UploadNotFound, UploadStore, open_upload_store
from tests.contract.children import Child
from tests.contract.records import an_upload
from tests.waiting import DEADLINE_SECONDS

# In the simulation nobody waits for a change.
pytestmark = pytest.mark.usefixtures("store_url")


def test_a_change_made_already_is_answered_at_once(store: UploadStore) -> None:
    before = store.accept(an_upload())
    changed = store.update("u-1", expect={State.QUEUED}, progress=0.5)
    assert store.wait_for_change("u-1", before.version, timeout=60) == changed


def test_without_a_change_the_record_is_answered_after_the_timeout(store: UploadStore) -> None:
    accepted = store.accept(an_upload())
    started = time.monotonic()
    assert store.wait_for_change("u-1", accepted.version, timeout=0.2) == accepted
    assert 0.2 <= time.monotonic() - started < DEADLINE_SECONDS


def test_nobody_waits_for_an_absent_record(store: UploadStore) -> None:
    with pytest.raises(UploadNotFound):
        store.wait_for_change("u-1", 0, timeout=1)


def test_waiting_sees_changes_of_this_connection_and_of_others(
    store: UploadStore, store_url: str
) -> None:
    version = store.accept(an_upload()).version
    other = open_upload_store(store_url)
    for changer in (store, other):
        seen: list[Upload] = []

        def wait(version: int = version, seen: list[Upload] = seen) -> None:
            seen.append(store.wait_for_change("u-1", version, timeout=60))

        waiter = threading.Thread(target=wait)
        waiter.start()
        changed = changer.update("u-1", expect={State.QUEUED}, progress=0.5)
        waiter.join(DEADLINE_SECONDS)
        assert seen == [changed]
        version = changed.version
    other.close()


def test_waiting_sees_changes_of_another_process(store: UploadStore, store_url: str) -> None:
    version = store.accept(an_upload()).version
    with Child("change", store_url, "u-1"):
        assert store.wait_for_change("u-1", version, timeout=60).version > version


def test_waiting_is_not_ended_by_changes_of_other_records(
    store: UploadStore, store_url: str
) -> None:
    store.accept(an_upload(id="u-1"))
    other = store.accept(an_upload(id="u-2"))
    with Child("change", store_url, "u-1") as changing:
        changing.lines(1)
        assert store.wait_for_change("u-2", other.version, timeout=0.1) == other
