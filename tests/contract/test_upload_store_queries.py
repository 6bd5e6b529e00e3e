"""Finding upload records: for their owners, for the outbox and for the loader."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from muster.contracts.uploads import Options, State, Upload, record_format
from muster.uploadstore import UploadStore, open_upload_store
from muster.uploadstore.sqlite import COUNT_OF_OWNER, SqliteUploadStore
from tests.contract.records import an_upload


def ids(uploads: list[Upload]) -> list[str]:
    return [upload.id for upload in uploads]


def find(
    store: UploadStore,
    *,
    owner: str | None = None,
    state: State | None = None,
    table: str | None = None,
    before: int | None = None,
    limit: int = 10,
) -> list[str]:
    return ids(store.find(owner=owner, state=state, table=table, before=before, limit=limit))


@pytest.fixture
def five(store: UploadStore) -> list[Upload]:
    """Five uploads, u-0 to u-4, by two owners into two tables."""
    return [
        store.accept(
            an_upload(
                id=f"u-{number}",
                owner="ana" if number % 2 else "bob",
                table="jobs" if number < 3 else "departments",
            )
        )
        for number in range(5)
    ]


def finish(store: UploadStore, upload_id: str, *, announced: bool) -> None:
    store.update(
        upload_id,
        expect={State.QUEUED},
        state=State.COMPLETED,
        announced=announced,
    )


def test_records_are_found_newest_first(store: UploadStore, five: list[Upload]) -> None:
    assert find(store) == ["u-4", "u-3", "u-2", "u-1", "u-0"]
    assert find(store, limit=2) == ["u-4", "u-3"]
    assert find(store, limit=2, before=five[3].sequence) == ["u-2", "u-1"]


def test_a_page_is_full_though_many_sequences_are_missing(
    store: UploadStore, store_url: str
) -> None:
    for number in range(3):
        store.accept(an_upload(id=f"u-{number}"))
    if store_url.startswith("mongodb:"):
        with MongoClient[dict[str, Any]](store_url) as client:
            counters = client.get_default_database()["counters"]
            counters.update_one({"_id": "uploads"}, {"$inc": {"value": 5000}})
    store.accept(an_upload(id="u-3"))
    assert find(store, limit=3) == ["u-3", "u-2", "u-1"]
    assert find(store) == ["u-3", "u-2", "u-1", "u-0"]
    assert find(store, before=4, limit=2) == ["u-2", "u-1"]


def test_a_page_of_all_asks_mongodb_for_few_records(
    mongodb_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many a server sorts that does so though it has an index."""
    asked: list[dict[str, Any]] = []
    find_in = Collection.find

    def noted(collection: Any, query: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        asked.append(query)
        return find_in(collection, query, *arguments, **options)

    with closing(open_upload_store(mongodb_store_url)) as store:
        for number in range(40):
            store.accept(an_upload(id=f"u-{number}"))
        monkeypatch.setattr(Collection, "find", noted)
        assert find(store, limit=3) == ["u-39", "u-38", "u-37"]
        assert find(store, before=20, limit=3) == ["u-18", "u-17", "u-16"]
        monkeypatch.undo()
    with MongoClient[dict[str, Any]](mongodb_store_url) as client:
        uploads = client.get_default_database()["uploads"]
        of_uploads = [query for query in asked if "sequence" in query]
        assert len(of_uploads) == 2
        assert max(uploads.count_documents(query) for query in of_uploads) <= 6


def test_records_are_found_by_owner_state_and_table(store: UploadStore, five: list[Upload]) -> None:
    finish(store, "u-1", announced=False)
    assert find(store, owner="ana") == ["u-3", "u-1"]
    assert find(store, table="departments") == ["u-4", "u-3"]
    assert find(store, state=State.COMPLETED) == ["u-1"]
    assert find(store, owner="ana", state=State.QUEUED, table="departments") == ["u-3"]
    assert find(store, owner="bob", state=State.COMPLETED) == []
    assert find(store, owner="bob", before=five[4].sequence, limit=1) == ["u-2"]


def test_uploads_that_correct_another_are_found_newest_first(store: UploadStore) -> None:
    for number, previous in enumerate([None, "u-0", "u-0", "u-1"]):
        store.accept(an_upload(id=f"u-{number}", previous=previous))
    assert ids(store.find_corrections("u-0", limit=10)) == ["u-2", "u-1"]
    assert ids(store.find_corrections("u-0", limit=1)) == ["u-2"]
    assert ids(store.find_corrections("u-3", limit=10)) == []


def test_uploads_that_undo_another_are_found_newest_first(store: UploadStore) -> None:
    for number, undoes in enumerate([None, "u-0", "u-0", "u-1", "u-0"]):
        options = Options(mode="possible", dry_run=number == 4)
        store.accept(an_upload(id=f"u-{number}", undoes=undoes, options=options))
    assert ids(store.find_undoing("u-0", limit=10)) == ["u-2", "u-1"]
    assert ids(store.find_undoing("u-0", limit=1)) == ["u-2"]
    assert ids(store.find_undoing("u-2", limit=10)) == []
    store.update("u-2", expect={State.QUEUED}, state=State.COMPLETED)
    assert [each.state for each in store.find_undoing("u-0", limit=1)] == [State.COMPLETED]


def test_the_outbox_has_what_is_not_published_in_order(
    store: UploadStore, five: list[Upload]
) -> None:
    store.update("u-1", expect={State.QUEUED}, published=True)
    assert ids(store.unpublished(limit=3)) == ["u-0", "u-2", "u-3"]
    oldest = store.oldest_unpublished()
    assert oldest is not None
    assert oldest.id == "u-0"


def test_an_outbox_with_all_published_is_empty(store: UploadStore) -> None:
    store.accept(an_upload())
    store.update("u-1", expect={State.QUEUED}, published=True)
    assert store.unpublished(limit=10) == []
    assert store.oldest_unpublished() is None


def test_unfinished_are_those_not_final_or_not_announced_in_order(
    store: UploadStore, five: list[Upload]
) -> None:
    finish(store, "u-0", announced=True)
    finish(store, "u-1", announced=False)
    store.update("u-2", expect={State.QUEUED}, state=State.LOADING)
    assert ids(store.unfinished(0, limit=9)) == ["u-1", "u-2", "u-3", "u-4"]
    assert ids(store.unfinished(0, limit=2)) == ["u-1", "u-2"]
    assert ids(store.unfinished(five[2].sequence, limit=9)) == ["u-3", "u-4"]
    assert ids(store.unfinished(five[4].sequence, limit=9)) == []


def test_those_that_follow_a_sequence_are_found_whatever_became_of_them(
    store: UploadStore, five: list[Upload]
) -> None:
    finish(store, "u-1", announced=True)
    finish(store, "u-3", announced=False)
    assert ids(store.following(five[0].sequence, limit=3)) == ["u-1", "u-2", "u-3"]
    assert ids(store.following(five[2].sequence, limit=9)) == ["u-3", "u-4"]
    assert ids(store.following(five[4].sequence, limit=9)) == []


def test_the_oldest_queued_is_what_the_loader_takes_next(
    store: UploadStore, five: list[Upload]
) -> None:
    def oldest() -> str | None:
        found = store.oldest_queued()
        return found.id if found else None

    assert oldest() == "u-0"
    finish(store, "u-0", announced=False)
    finish(store, "u-1", announced=True)
    # What is being loaded waits no longer.
    store.update("u-2", expect={State.QUEUED}, state=State.LOADING)
    assert oldest() == "u-3"
    for upload_id in ("u-3", "u-4"):
        finish(store, upload_id, announced=True)
    assert oldest() is None


def test_the_queued_are_told_by_their_sequences_in_order(
    store: UploadStore, five: list[Upload]
) -> None:
    sequences = [upload.sequence for upload in five]
    assert (store.queued(9), store.queued(2)) == (sequences, sequences[:2])
    finish(store, "u-0", announced=False)
    store.update("u-2", expect={State.QUEUED}, state=State.LOADING)
    assert store.queued(9) == [sequences[1], *sequences[3:]]


def test_the_bytes_of_an_owner_are_counted_by_the_day(store: UploadStore) -> None:
    midnight = datetime(2021, 11, 7, tzinfo=UTC)
    last = midnight + timedelta(days=1) - timedelta(microseconds=1)
    sent = [
        *(("ana", midnight, 1), ("ana", last, 2), ("bob", midnight, 4)),
        *(("ana", midnight - timedelta(microseconds=1), 8), ("ana", midnight, 16)),
    ]
    for number, (owner, at, size) in enumerate(sent):
        store.accept(an_upload(id=f"u-{number}", owner=owner, submitted_at=at, size=size))
    # What becomes of a file changes nothing.
    finish(store, "u-0", announced=True)
    assert store.bytes_of_day("ana", midnight.date()) == 1 + 2 + 16
    assert store.bytes_of_day("bob", midnight.date()) == 4
    assert store.bytes_of_day("ana", midnight.date() - timedelta(days=1)) == 8
    assert store.bytes_of_day("ana", midnight.date() + timedelta(days=1)) == 0
    assert store.bytes_of_day("eva", midnight.date()) == 0


def test_the_unfinished_of_an_owner_are_counted_up_to_a_limit(
    store: UploadStore, five: list[Upload]
) -> None:
    assert [store.count_unfinished(owner, 9) for owner in ("bob", "ana", "eva")] == [3, 2, 0]
    assert [store.count_unfinished("bob", limit) for limit in (1, 3)] == [1, 3]
    # What is final is so before it is announced.
    finish(store, "u-0", announced=False)
    finish(store, "u-1", announced=True)
    store.update("u-2", expect={State.QUEUED}, state=State.LOADING)
    assert [store.count_unfinished(owner, 9) for owner in ("bob", "ana")] == [2, 1]


def test_the_unfinished_of_an_owner_are_counted_in_an_index_of_the_file(
    file_store_url: str,
) -> None:
    with closing(SqliteUploadStore(file_store_url)) as store:
        store.accept(an_upload())
    path = Path(urlsplit(file_store_url).path) / "records.db"
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {COUNT_OF_OWNER}", [record_format(), "user-1", 9]
        ).fetchall()
    steps = [step for *_, step in plan if "uploads" in step]
    # Covering or not: versions of SQLite differ in that.
    assert len(steps) == 1
    assert steps[0].endswith("INDEX uploads_by_owner_state (<expr>=? AND <expr>=?)")


def test_cancelling_are_the_queued_that_shall_be_cancelled_in_order(
    store: UploadStore, five: list[Upload]
) -> None:
    for upload_id in ("u-3", "u-1", "u-2"):
        store.update(upload_id, expect={State.QUEUED}, cancel_requested=True)
    store.update("u-2", expect={State.QUEUED}, state=State.VALIDATING)
    assert ids(store.cancelling()) == ["u-1", "u-3"]
