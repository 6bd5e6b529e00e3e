"""Records that can't be read: set aside with a reason, so that what is behind them goes on."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muster.contracts.uploads import UNFINISHED, State, UnreadableRecord, Upload, record_format
from muster.uploadstore import Backlog, KeyTaken, UploadStore, open_upload_store
from tests.contract.rawrecords import raw_record, set_raw
from tests.contract.records import an_upload

FORMAT_IN = ("muster.uploadstore.sqlite.record_format", "muster.uploadstore.mongodb.record_format")


def accept_three(store: UploadStore) -> None:
    for number, upload_id in enumerate(("u-1", "bad", "u-3")):
        key, of = f"k-{number}", {"previous": "u-0", "undoes": "u-0"}
        store.accept(an_upload(id=upload_id, idempotency_key=key, **of))
    for upload_id in ("u-1", "bad", "u-3"):
        store.update(upload_id, expect=UNFINISHED, cancel_requested=True)


LISTINGS: Mapping[str, Callable[[UploadStore], list[Upload]]] = {
    "find": lambda store: store.find(owner=None, state=None, table=None, before=None, limit=9),
    "find of a state": lambda store: store.find(
        owner="user-1", state=State.QUEUED, table="jobs", before=9, limit=9
    ),
    "find_undoing": lambda store: store.find_undoing("u-0", 9),
    "find_corrections": lambda store: store.find_corrections("u-0", 9),
    "unpublished": lambda store: store.unpublished(9),
    "unfinished": lambda store: store.unfinished(0, 9),
    "following": lambda store: store.following(0, 9),
    "cancelling": lambda store: store.cancelling(),
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_leaves_out_what_cannot_be_read(
    store: UploadStore, store_url: str, listing: str
) -> None:
    accept_three(store)
    set_raw(store_url, "bad", size="twelve")
    assert {upload.id for upload in LISTINGS[listing](store)} == {"u-1", "u-3"}
    [record] = store.set_aside(9)
    assert (record.upload_id, record.format) == ("bad", record_format())
    assert record.reason.startswith("size: ")


def test_the_page_of_a_listing_is_full_though_records_are_left_out(
    store: UploadStore, store_url: str
) -> None:
    accept_three(store)
    set_raw(store_url, "u-1", state="undone")
    assert [upload.id for upload in store.unpublished(2)] == ["bad", "u-3"]
    for oldest in (store.oldest_unpublished(), store.oldest_queued()):
        assert oldest is not None
        assert oldest.id == "bad"


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "undone"},
        {"submitted_at": "yesterday"},
        {"rows": [1, 2]},
        {"options": {"mode": "replace"}},
        {"sha256": None},
        {"progress": 7.5},
    ],
    ids=str,
)
def test_whoever_asks_for_it_is_told(
    store: UploadStore, store_url: str, fields: dict[str, Any]
) -> None:
    accept_three(store)
    set_raw(store_url, "bad", **fields)
    calls = (
        partial(store.get, "bad"),
        partial(store.update, "bad", expect=UNFINISHED, cancel_requested=True),
        partial(store.wait_for_change, "bad", 0, 1),
        partial(store.find_by_key, "user-1", "k-1"),
        partial(store.claim_key, "user-1", "k-1", 30),
    )
    for call in calls:
        with pytest.raises(UnreadableRecord) as caught:
            call()
        assert (caught.value.upload_id, caught.value.owner) == ("bad", "user-1")
        assert caught.value.reason.startswith(next(iter(fields)))
    assert len(store.set_aside(9)) == 1


def test_a_key_of_a_record_that_cannot_be_read_is_not_given_again(
    store: UploadStore, store_url: str
) -> None:
    accept_three(store)
    set_raw(store_url, "bad", state="undone")
    with pytest.raises((UnreadableRecord, KeyTaken)):
        store.accept(an_upload(id="again", idempotency_key="k-1"))


def test_a_state_that_is_not_known_is_never_changed(store: UploadStore, store_url: str) -> None:
    store.accept(an_upload())
    set_raw(store_url, "u-1", state="undone")
    for expect in (UNFINISHED, frozenset(State)):
        with pytest.raises(UnreadableRecord):
            store.update("u-1", expect=expect, state=State.CANCELLED)
    assert raw_record(store_url, "u-1")["state"] == "undone"


def test_what_is_set_aside_is_so_for_other_processes_and_later(
    store: UploadStore, store_url: str
) -> None:
    accept_three(store)
    set_raw(store_url, "bad", state="undone")
    store.unfinished(0, 9)
    set_raw(store_url, "bad", state="queued")
    with closing(open_upload_store(store_url)) as other:
        assert [upload.id for upload in other.unfinished(0, 9)] == ["u-1", "u-3"]
        assert other.count_set_aside() == 1


def test_a_record_that_was_mended_is_put_back(store: UploadStore, store_url: str) -> None:
    accept_three(store)
    for upload_id in ("bad", "u-3"):
        set_raw(store_url, upload_id, state="undone")
    assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1"]
    for upload_id in ("bad", "u-3"):
        set_raw(store_url, upload_id, state="queued")
    assert store.put_back("bad") == 1
    assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1", "bad"]
    assert store.count_set_aside() == 1
    assert store.put_back() == 1
    assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1", "bad", "u-3"]
    assert (store.set_aside(9), store.put_back()) == ([], 0)


def test_another_version_takes_up_what_it_can_read(
    store: UploadStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept_three(store)
    set_raw(store_url, "bad", state="undone")
    with monkeypatch.context() as older:
        for place in FORMAT_IN:
            older.setattr(place, lambda: "0ld")
        assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1", "u-3"]
        assert store.count_set_aside() == 1
    # This version knows the state by another name: it can read the record.
    set_raw(store_url, "bad", state="queued")
    assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1", "bad", "u-3"]
    assert store.count_set_aside() == 0
    assert [record.format for record in store.set_aside(9)] == ["0ld"]


def test_fields_of_another_version_outlive_a_change(store: UploadStore, store_url: str) -> None:
    store.accept(an_upload())
    set_raw(store_url, "u-1", colour="blue")
    assert store.update("u-1", expect=UNFINISHED, progress=0.5).version == 1
    record = raw_record(store_url, "u-1")
    assert (record["colour"], record["progress"], record["version"]) == ("blue", 0.5, 1)


@pytest.mark.parametrize("fields", [{"state": "undone"}, {"state": [1]}, {"rejects": 7}], ids=str)
def test_the_files_of_a_record_that_cannot_be_read_are_kept(
    store: UploadStore, store_url: str, fields: dict[str, Any]
) -> None:
    store.accept(an_upload())
    set_raw(store_url, "u-1", **fields)
    assert store.unnamed(["u-1", "u-1.rejects", "u-1.load.rejects", "u-2"]) == {"u-2"}


def test_a_byte_that_the_disk_has_changed_costs_one_record(file_store_url: str) -> None:
    with closing(open_upload_store(file_store_url)) as store:
        accept_three(store)
    path = Path(urlsplit(file_store_url).path) / "records.db"
    content = path.read_bytes()
    assert content.count(b'{"id": "bad"') == 1
    path.write_bytes(content.replace(b'{"id": "bad"', b'{"id"; "bad"'))
    with closing(open_upload_store(file_store_url)) as store:
        for listing in LISTINGS.values():
            assert {upload.id for upload in listing(store)} == {"u-1", "u-3"}
        with pytest.raises(UnreadableRecord):
            store.get("bad")
        assert store.count_set_aside() == 1
        assert store.unnamed(["bad", "bad.rejects"]) == set()


def test_a_byte_that_the_disk_has_changed_keeps_no_owner_from_being_counted(
    file_store_url: str,
) -> None:
    with closing(open_upload_store(file_store_url)) as store:
        accept_three(store)
    path = Path(urlsplit(file_store_url).path) / "records.db"
    path.write_bytes(path.read_bytes().replace(b'{"id": "bad"', b'{"id"; "bad"'))
    with closing(open_upload_store(file_store_url)) as store:
        assert store.count_unfinished("user-1", 9) == 3
        oldest = store.oldest_queued()
        assert oldest is not None
        assert oldest.id == "u-1"
        store.unfinished(0, 9)
        assert store.count_unfinished("user-1", 9) == 2
        assert len(store.queued(9)) == 2


def test_a_field_nested_beyond_reading_costs_one_record(file_store_url: str) -> None:
    nested: list[Any] = []
    for _ in range(900):
        nested = [nested]
    with closing(open_upload_store(file_store_url)) as store:
        accept_three(store)
        set_raw(file_store_url, "bad", later=nested)
        assert [upload.id for upload in store.unfinished(0, 9)] == ["u-1", "u-3"]


def test_the_backlog_is_what_is_not_done_and_can_be_read(
    store: UploadStore, store_url: str
) -> None:
    assert store.backlog() == Backlog(0, None)
    accept_three(store)
    store.update("u-1", expect=UNFINISHED, state=State.COMPLETED)
    assert store.backlog() == Backlog(3, an_upload().submitted_at)
    store.update("u-1", expect=set(State), announced=True)
    set_raw(store_url, "bad", state="undone")
    assert store.backlog() == Backlog(1, an_upload().submitted_at)
    assert store.count_unfinished("user-1", 9) == 1
