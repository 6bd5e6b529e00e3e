"""What the MongoDB store leaves in GridFS, and what it makes of what it finds there."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from gridfs import GridFSBucket
from pymongo import MongoClient
from pymongo.database import Database

from muster.csvstore import CsvStore, FileNotStored, StoreUnavailable, open_csv_store
from tests.contract.records import an_upload
from tests.waiting import eventually

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def store(mongodb_store_url: str) -> Iterator[CsvStore]:
    with closing(open_csv_store(mongodb_store_url)) as store:
        yield store


@pytest.fixture
def database(mongodb_store_url: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongodb_store_url) as client:
        yield client.get_default_database()


@pytest.fixture
def bucket(database: Database[dict[str, Any]]) -> GridFSBucket:
    return GridFSBucket(database, "csv")


def write(store: CsvStore, name: str, content: bytes) -> None:
    with store.write_file(name) as file:
        file.write(content)


def read(store: CsvStore, name: str) -> bytes:
    with store.open_file(name) as file:
        return file.read()


def test_the_drivers_own_gridfs_reads_the_file(store: CsvStore, bucket: GridFSBucket) -> None:
    write(store, "u-1", CONTENT)
    with bucket.open_download_stream_by_name("u-1") as file:
        assert file.read() == CONTENT


def test_a_file_of_the_drivers_own_gridfs_is_read(store: CsvStore, bucket: GridFSBucket) -> None:
    bucket.upload_from_stream("u-1", CONTENT)
    assert store.file_size("u-1") == len(CONTENT)
    assert read(store, "u-1") == CONTENT


def test_a_replaced_or_deleted_file_leaves_nothing(
    store: CsvStore, database: Database[dict[str, Any]]
) -> None:
    write(store, "u-1", CONTENT)
    write(store, "u-1", b"short")
    assert database["csv.chunks"].count_documents({}) == 1
    store.delete_file("u-1")
    assert database["csv.chunks"].count_documents({}) == 0
    assert database["csv.files"].count_documents({}) == 0


def test_a_version_whose_writer_died_before_removing_it_is_hidden_and_swept(
    store: CsvStore, bucket: GridFSBucket
) -> None:
    store.accept(an_upload())
    write(store, "u-1", b"newest")
    bucket.upload_from_stream("u-1", b"replaced", metadata={"version": 0})
    assert read(store, "u-1") == b"newest"
    assert store.sweep(older_than=3600) == 0
    assert store.sweep(older_than=-1) == 1
    assert read(store, "u-1") == b"newest"


def test_deleting_brings_no_earlier_version_to_light(store: CsvStore, bucket: GridFSBucket) -> None:
    write(store, "u-1", b"newest")
    bucket.upload_from_stream("u-1", b"replaced", metadata={"version": 0})
    store.delete_file("u-1")
    with pytest.raises(FileNotStored):
        store.open_file("u-1")


def test_a_file_that_was_swept_while_it_was_written_is_not_stored(store: CsvStore) -> None:
    def write_while_it_is_swept() -> None:
        with store.write_file("u-1") as file:
            file.write(CONTENT)
            # The writer writes while the next bytes come.
            eventually(lambda: store.sweep(older_than=-1) == 1)
            file.write(CONTENT)

    with pytest.raises(StoreUnavailable, match="gone"):
        write_while_it_is_swept()
    with pytest.raises(FileNotStored):
        store.open_file("u-1")
    assert store.sweep(older_than=-1) == 0


def test_a_file_replaced_under_its_reader_is_never_mixed_with_the_new_one(store: CsvStore) -> None:
    write(store, "u-1", CONTENT * 10)
    with store.open_file("u-1") as file:
        assert file.read(10) == CONTENT[:10]
        write(store, "u-1", b"x" * len(CONTENT) * 10)
        with pytest.raises(StoreUnavailable):
            file.read()


def test_the_last_of_two_writers_of_a_name_has_written_the_file(store: CsvStore) -> None:
    with store.write_file("u-1") as early:
        early.write(b"early")
        with store.write_file("u-1") as late:
            late.write(b"late")
        assert read(store, "u-1") == b"late"
    assert read(store, "u-1") == b"early"
