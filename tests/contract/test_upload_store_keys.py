"""Idempotency keys in the CSV store: one upload each, and one call in flight."""

import time
from functools import partial

import pytest

from muster.contracts.uploads import State, Upload
from muster.uploadstore import KeyTaken, UploadStore
from tests.contract.at_once import at_once
from tests.contract.records import an_upload
from tests.waiting import eventually


def is_free(store: UploadStore, owner: str, key: str) -> bool:
    try:
        store.claim_key(owner, key, 60)
    except KeyTaken:
        return False
    return True


def test_a_key_belongs_to_the_first_upload_accepted_with_it(store: UploadStore) -> None:
    first = store.accept(an_upload(id="u-1", idempotency_key="k"))
    changed = store.update("u-1", expect={State.QUEUED}, state=State.VALIDATING)
    with pytest.raises(KeyTaken) as caught:
        store.accept(an_upload(id="u-2", idempotency_key="k"))
    assert caught.value.upload == changed
    assert store.find_by_key(first.owner, "k") == changed
    assert [upload.id for upload in store.unpublished(10)] == ["u-1"]


def test_a_key_is_its_owners(store: UploadStore) -> None:
    store.accept(an_upload(id="u-1", owner="ana", idempotency_key="k"))
    store.accept(an_upload(id="u-2", owner="bob", idempotency_key="k"))
    found = store.find_by_key("bob", "k")
    assert found is not None
    assert found.id == "u-2"
    assert store.find_by_key("cyd", "k") is None
    assert store.find_by_key("ana", "other") is None


def test_uploads_without_a_key_do_not_conflict(store: UploadStore) -> None:
    store.accept(an_upload(id="u-1"))
    store.accept(an_upload(id="u-2"))


def test_of_uploads_accepted_at_once_with_a_key_one_has_it(store: UploadStore) -> None:
    def accept(upload_id: str) -> Upload | None:
        try:
            return store.accept(an_upload(id=upload_id, idempotency_key="k"))
        except KeyTaken as error:
            return error.upload

    answers = at_once([partial(accept, f"u-{number}") for number in range(8)])
    assert answers == store.unpublished(limit=10) * 8


def test_a_claimed_key_is_taken_for_other_calls(store: UploadStore) -> None:
    store.claim_key("ana", "k", 60)
    with pytest.raises(KeyTaken) as caught:
        store.claim_key("ana", "k", 60)
    assert caught.value.upload is None
    store.claim_key("bob", "k", 60)
    store.claim_key("ana", "other", 60)


def test_of_calls_that_claim_a_key_at_once_one_has_it(store: UploadStore) -> None:
    claimed = at_once([partial(is_free, store, "ana", "k")] * 8)
    assert claimed.count(True) == 1


def test_a_key_of_an_upload_can_not_be_claimed(store: UploadStore) -> None:
    accepted = store.accept(an_upload(owner="ana", idempotency_key="k"))
    with pytest.raises(KeyTaken) as caught:
        store.claim_key("ana", "k", 60)
    assert caught.value.upload == accepted


def test_a_claim_ends_when_its_time_is_over(store: UploadStore) -> None:
    started = time.monotonic()
    store.claim_key("ana", "k", 0.3)
    eventually(lambda: is_free(store, "ana", "k"))
    assert time.monotonic() - started >= 0.25


def test_a_renewed_claim_lasts_from_then_on(store: UploadStore) -> None:
    store.claim_key("ana", "k", 60)
    store.renew_key("ana", "k", 0.01)
    eventually(lambda: is_free(store, "ana", "k"))
    store.renew_key("ana", "k", 60)
    assert not is_free(store, "ana", "k")


def test_a_released_key_may_be_claimed_again(store: UploadStore) -> None:
    store.claim_key("ana", "k", 60)
    store.release_key("ana", "k")
    store.release_key("ana", "k")
    store.claim_key("ana", "k", 60)


def test_an_upload_is_accepted_with_the_key_its_call_claimed_and_keeps_it(
    store: UploadStore,
) -> None:
    store.claim_key("ana", "k", 60)
    accepted = store.accept(an_upload(owner="ana", idempotency_key="k"))
    store.release_key("ana", "k")
    with pytest.raises(KeyTaken) as caught:
        store.claim_key("ana", "k", 60)
    assert caught.value.upload == accepted
