"""Files that have lost a part: told from a store that does not answer."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from muster.backends.mongodb import MongoConnection
from muster.filestore import FileNotStored, FileStore, open_file_store
from muster.weather import FileDamaged, StoreUnavailable

CHUNK_BYTES = 255 * 1024
CONTENT = bytes(range(251)) * 8000  # eight chunks, the last of them not full
Document = dict[str, Any]


@pytest.fixture
def files(mongodb_store_url: str) -> Iterator[FileStore]:
    with closing(open_file_store(mongodb_store_url)) as files:
        yield files


@pytest.fixture
def chunks(mongodb_store_url: str) -> Iterator[Collection[Document]]:
    with MongoClient[Document](mongodb_store_url) as client:
        yield client.get_default_database()["csv.chunks"]


def write(files: FileStore, content: bytes = CONTENT) -> None:
    with files.write("u-1") as file:
        file.write(content)


def read(files: FileStore) -> bytes:
    with files.open("u-1") as file:
        return file.read()


def lose(number: int) -> Callable[[Collection[Document]], object]:
    return lambda chunks: chunks.delete_one({"n": number})


def change(number: int, data: object) -> Callable[[Collection[Document]], object]:
    return lambda chunks: chunks.update_one({"n": number}, {"$set": {"data": data}})


DAMAGE: Mapping[str, Callable[[Collection[Document]], object]] = {
    "the first chunk is lost": lose(0),
    "a chunk in the middle is lost": lose(5),
    "the last chunk is lost": lose(7),
    "a chunk is short": change(6, b"x" * 100),
    "a chunk is empty": change(2, b""),
    "a chunk is long": change(1, b"x" * (CHUNK_BYTES + 1)),
    "a chunk is of text": change(3, "x" * CHUNK_BYTES),
    "a chunk has no data": lambda chunks: chunks.update_one({"n": 4}, {"$unset": {"data": ""}}),
    "all chunks are lost": lambda chunks: chunks.delete_many({}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_lost_a_part_is_damaged(
    files: FileStore, chunks: Collection[Document], damage: str
) -> None:
    write(files)
    DAMAGE[damage](chunks)
    with pytest.raises(FileDamaged, match="u-1"):
        read(files)


@pytest.mark.parametrize("size", [CHUNK_BYTES, len(CONTENT)], ids=["of a chunk", "of many"])
def test_what_is_lost_is_seen_before_the_first_byte(
    files: FileStore, chunks: Collection[Document], size: int
) -> None:
    write(files, CONTENT[:size])
    lose(0 if size == CHUNK_BYTES else 6)(chunks)
    with pytest.raises(FileDamaged):
        files.open("u-1")


@pytest.mark.parametrize("fields", [{"length": "long"}, {"chunkSize": 0}, {"length": -1}], ids=str)
def test_a_files_document_that_makes_no_sense_is_damage(
    files: FileStore, chunks: Collection[Document], fields: Document
) -> None:
    write(files)
    chunks.database["csv.files"].update_one({}, {"$set": fields})
    with pytest.raises(FileDamaged):
        read(files)


def test_parts_that_balance_each_other_are_damage(
    files: FileStore, chunks: Collection[Document]
) -> None:
    write(files)
    change(0, b"x" * (CHUNK_BYTES - 1))(chunks)
    change(1, b"x" * (CHUNK_BYTES + 1))(chunks)
    with pytest.raises(FileDamaged):
        read(files)


def test_a_copy_that_lags_behind_is_no_damage(
    files: FileStore, chunks: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files)
    steps: list[Callable[[], object]] = [
        lambda: lose(0)(chunks),
        lambda: files.delete("u-1"),
    ]
    for step in steps:
        step()
        with monkeypatch.context() as cut_off:

            def no_majority(_connection: MongoConnection) -> None:
                raise StoreUnavailable("waiting for replication timed out")

            cut_off.setattr(MongoConnection, "ensure_current", no_majority)
            with pytest.raises(StoreUnavailable):
                read(files)
    with pytest.raises(FileNotStored):
        read(files)


def test_a_chunk_that_was_only_late_is_read(
    files: FileStore, chunks: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files)
    late = chunks.find_one_and_delete({"n": 2})
    assert late is not None
    ensure_current = MongoConnection.ensure_current

    def catch_up(connection: MongoConnection) -> None:
        chunks.insert_one(late)
        ensure_current(connection)

    monkeypatch.setattr(MongoConnection, "ensure_current", catch_up)
    assert read(files) == CONTENT


@pytest.mark.skipif(sys.platform != "linux", reason="it takes a file that Linux can't read")
def test_blocks_that_the_disk_cannot_read_are_damage_if_it_answers_otherwise(
    file_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_file_store(file_store_url)) as files:
        write(files, b"1,a")
        path = next(Path(file_store_url.removeprefix("file://")).glob("files/*/u-1"))
        path.unlink()
        # Nothing is mapped at its beginning: reading that is an input/output error.
        path.symlink_to("/proc/self/mem")
        with pytest.raises(FileDamaged):
            read(files)

        def away() -> None:
            raise StoreUnavailable("the disk is away")

        monkeypatch.setattr(files, "check", away)
        with pytest.raises(StoreUnavailable):
            read(files)


def test_a_directory_in_the_place_of_a_file_is_damage(file_store_url: str) -> None:
    with closing(open_file_store(file_store_url)) as files:
        write(files, b"1,a")
        path = next(Path(file_store_url.removeprefix("file://")).glob("files/*/u-1"))
        path.unlink()
        path.mkdir()
        with pytest.raises(FileDamaged):
            read(files)
