"""What the file store leaves in GridFS, and what it makes of what it finds there."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gridfs import GridFSBucket
from pymongo import MongoClient
from pymongo.database import Database

from gateway.uploads.sweep import sweep
from muster.filestore import FileNotStored, FileStore
from muster.stores import Stores, open_stores
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload
from tests.waiting import eventually

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def stores(mongodb_store_url: str) -> Iterator[Stores]:
    with closing(open_stores(mongodb_store_url)) as stores:
        yield stores


@pytest.fixture
def files(stores: Stores) -> FileStore:
    return stores.files


@pytest.fixture
def database(mongodb_store_url: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongodb_store_url) as client:
        yield client.get_default_database()


@pytest.fixture
def bucket(database: Database[dict[str, Any]]) -> GridFSBucket:
    return GridFSBucket(database, "csv")


def write(files: FileStore, name: str, content: bytes) -> None:
    with files.write(name) as file:
        file.write(content)


def read(files: FileStore, name: str) -> bytes:
    with files.open(name) as file:
        return file.read()


def test_the_drivers_own_gridfs_reads_the_file(files: FileStore, bucket: GridFSBucket) -> None:
    write(files, "u-1", CONTENT)
    with bucket.open_download_stream_by_name("u-1") as file:
        assert file.read() == CONTENT


def test_a_file_of_the_drivers_own_gridfs_is_read(files: FileStore, bucket: GridFSBucket) -> None:
    bucket.upload_from_stream("u-1", CONTENT)
    assert read(files, "u-1") == CONTENT


def test_a_replaced_or_deleted_file_leaves_nothing(
    files: FileStore, database: Database[dict[str, Any]]
) -> None:
    write(files, "u-1", CONTENT)
    write(files, "u-1", b"short")
    assert database["csv.chunks"].count_documents({}) == 1
    files.delete("u-1")
    assert database["csv.chunks"].count_documents({}) == 0
    assert database["csv.files"].count_documents({}) == 0


def test_a_version_whose_writer_died_before_removing_it_is_hidden_and_swept(
    stores: Stores, files: FileStore, bucket: GridFSBucket
) -> None:
    stores.uploads.accept(an_upload())
    write(files, "u-1", b"newest")
    bucket.upload_from_stream("u-1", b"replaced", metadata={"version": 0})
    assert read(files, "u-1") == b"newest"
    assert sweep(stores, older_than=3600) == 0
    assert sweep(stores, older_than=-1) == 1
    assert read(files, "u-1") == b"newest"


def test_a_replaced_version_is_swept_while_the_newest_waits_for_its_record(
    stores: Stores, files: FileStore, bucket: GridFSBucket, database: Database[dict[str, Any]]
) -> None:
    write(files, "u-1", b"newest")
    replaced = bucket.upload_from_stream("u-1", b"replaced", metadata={"version": 0})
    yesterday = {"$set": {"uploadDate": datetime.now(UTC) - timedelta(days=1)}}
    database["csv.files"].update_one({"_id": replaced}, yesterday)
    assert sweep(stores, older_than=3600) == 1
    assert read(files, "u-1") == b"newest"
    assert database["csv.files"].count_documents({}) == 1


def test_what_has_become_the_file_meanwhile_is_not_taken_for_remains(
    files: FileStore, database: Database[dict[str, Any]]
) -> None:
    write(files, "u-1", b"newest")
    [document] = database["csv.files"].find()
    files.delete(f".{document['_id']}.part")
    assert read(files, "u-1") == b"newest"


def test_deleting_brings_no_earlier_version_to_light(
    files: FileStore, bucket: GridFSBucket
) -> None:
    write(files, "u-1", b"newest")
    bucket.upload_from_stream("u-1", b"replaced", metadata={"version": 0})
    files.delete("u-1")
    with pytest.raises(FileNotStored):
        files.open("u-1")


def test_a_file_that_was_swept_while_it_was_written_is_not_stored(
    stores: Stores, files: FileStore
) -> None:
    def write_while_it_is_swept() -> None:
        with files.write("u-1") as file:
            file.write(CONTENT)
            # The writer writes while the next bytes come.
            eventually(lambda: sweep(stores, older_than=-1) == 1)
            file.write(CONTENT)

    with pytest.raises(StoreUnavailable, match="gone"):
        write_while_it_is_swept()
    with pytest.raises(FileNotStored):
        files.open("u-1")
    assert sweep(stores, older_than=-1) == 0


def test_a_file_replaced_under_its_reader_is_never_mixed_with_the_new_one(files: FileStore) -> None:
    write(files, "u-1", CONTENT * 10)
    with files.open("u-1") as file:
        assert file.read(10) == CONTENT[:10]
        write(files, "u-1", b"x" * len(CONTENT) * 10)
        with pytest.raises(StoreUnavailable):
            file.read()


def test_the_last_of_two_writers_of_a_name_has_written_the_file(files: FileStore) -> None:
    with files.write("u-1") as early:
        early.write(b"early")
        with files.write("u-1") as late:
            late.write(b"late")
        assert read(files, "u-1") == b"late"
    assert read(files, "u-1") == b"early"
