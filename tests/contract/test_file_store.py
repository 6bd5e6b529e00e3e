"""Stored files: whole or not at all, whatever happens to their writer."""

import hashlib
import random
from contextlib import suppress
from functools import partial

import pytest

from muster.filestore import FileNotStored, FileStore, open_file_store
from muster.weather import StoreUnavailable
from tests.contract.at_once import at_once
from tests.contract.children import Child
from tests.contract.records import content_of
from tests.waiting import eventually


def write(files: FileStore, name: str, *parts: bytes) -> None:
    with files.write(name) as file:
        for part in parts:
            assert file.write(part) == len(part)


def read(files: FileStore, name: str) -> bytes:
    with files.open(name) as file:
        return file.read()


class WriterBroke(Exception):
    pass


def test_a_file_is_read_as_it_was_written(files: FileStore) -> None:
    parts = [*content_of(3), b"", b"end"]
    write(files, "u-1", *parts)
    assert read(files, "u-1") == b"".join(parts)


def test_a_file_may_be_empty(files: FileStore) -> None:
    write(files, "u-1")
    assert read(files, "u-1") == b""


def test_a_file_of_many_megabytes_is_read_as_it_was_written(files: FileStore) -> None:
    written = hashlib.sha256()
    with files.write("u-1") as file:
        for number in range(50):
            for part in content_of(number):
                written.update(part)
                file.write(part)
    stored = hashlib.sha256()
    with files.open("u-1") as reader:
        while part := reader.read(100_000):
            stored.update(part)
    assert stored.digest() == written.digest()


def test_memory_does_not_grow_with_the_file(file_url: str) -> None:
    with Child("copy", file_url, "80") as copying:
        written, read = (int(line) for line in copying.lines(2))
    # The client of S3, made by the first call, takes as much as two parts of a file.
    most = 40_000_000 if file_url.startswith("s3:") else 20_000_000
    assert written < most
    assert read < most


def test_reading_may_begin_anywhere(files: FileStore) -> None:
    write(files, "u-1", b"0123456789")
    with files.open("u-1") as file:
        assert file.seekable()
        file.seek(4)
        assert file.read(3) == b"456"
        file.seek(0)
        assert file.read(2) == b"01"


def test_a_file_is_not_seen_before_its_end(files: FileStore) -> None:
    with files.write("u-1") as file:
        file.write(b"half")
        with pytest.raises(FileNotStored):
            files.open("u-1")
    assert read(files, "u-1") == b"half"


def break_while_writing(files: FileStore, name: str) -> None:
    with files.write(name) as file:
        file.write(b"half")
        raise WriterBroke


def test_nothing_is_seen_of_a_file_whose_writer_broke(files: FileStore) -> None:
    with pytest.raises(WriterBroke):
        break_while_writing(files, "u-1")
    with pytest.raises(FileNotStored):
        files.open("u-1")
    assert [*files.names(older_than=-1)] == []


def test_a_file_that_was_there_stays_when_the_writer_of_another_breaks(files: FileStore) -> None:
    write(files, "u-1", b"first")
    with pytest.raises(WriterBroke):
        break_while_writing(files, "u-1")
    assert read(files, "u-1") == b"first"


def test_a_file_may_be_written_again(files: FileStore) -> None:
    write(files, "u-1", b"a longer first")
    write(files, "u-1", b"second")
    assert read(files, "u-1") == b"second"


def test_the_names_of_files_are_told_once_they_are_old(files: FileStore) -> None:
    for name in ("u-1", "u-2.load.rejects"):
        write(files, name, b"text")
    assert [*files.names(older_than=3600)] == []
    assert {*files.names(older_than=-1)} == {"u-1", "u-2.load.rejects"}


def test_names_are_told_of_a_span_of_time(files: FileStore) -> None:
    for name in ("u-1", "u-2.load.rejects"):
        write(files, name, b"text")
    assert {*files.names(-1, newer_than=3600)} == {"u-1", "u-2.load.rejects"}
    # Whatever is there was written long before.
    assert [*files.names(-7200, newer_than=-3600)] == []
    assert [*files.names(3600, newer_than=7200)] == []


def test_a_name_is_told_once_though_the_file_was_written_again(files: FileStore) -> None:
    for _ in range(3):
        write(files, "u-1", b"text")
    assert [*files.names(-1, newer_than=3600)] == [*files.names(-1)] == ["u-1"]


def test_remains_of_a_span_of_time_are_told(files: FileStore, file_url: str) -> None:
    with Child("write_half", file_url, "u-1") as killed:
        killed.lines(1)
    [remains] = files.names(-1, newer_than=3600)
    assert [*files.names(-7200, newer_than=-3600)] == []
    files.delete(remains)
    eventually(lambda: [*files.names(-1, newer_than=3600)] == [])


def test_names_are_told_while_files_are_removed(files: FileStore) -> None:
    written = {f"u-{number}" for number in range(50)}
    for name in written:
        write(files, name, b"")
    told = set()
    for name in files.names(older_than=-1):
        files.delete(name)
        told.add(name)
    assert told == written
    assert [*files.names(older_than=-1)] == []


def test_what_a_dead_writer_left_has_a_name_that_can_be_deleted(
    files: FileStore, file_url: str
) -> None:
    write(files, "u-1", b"first")
    with Child("write_half", file_url, "u-1") as killed:
        killed.lines(1)
    [remains] = {*files.names(older_than=-1)} - {"u-1"}
    files.delete(remains)
    # A server may come by a part only now that was on its way when the writer died.
    eventually(lambda: [*files.names(older_than=-1)] == ["u-1"])
    assert read(files, "u-1") == b"first"


def test_an_absent_file_is_not_stored(files: FileStore) -> None:
    with pytest.raises(FileNotStored):
        files.open("u-1")


def test_a_deleted_file_is_gone_and_may_be_deleted_again(files: FileStore) -> None:
    write(files, "u-1", b"text")
    write(files, "u-1.rejects", b"rejects")
    files.delete("u-1")
    files.delete("u-1")
    with pytest.raises(FileNotStored):
        files.open("u-1")
    assert read(files, "u-1.rejects") == b"rejects"


def test_of_two_writers_at_once_one_is_stored_whole(files: FileStore) -> None:
    contents = [bytes([letter]) * 300_000 for letter in b"abcdef"]
    at_once([partial(write, files, "u-1", content) for content in contents])
    assert read(files, "u-1") in contents


def test_another_connection_sees_the_file(files: FileStore, file_url: str) -> None:
    write(files, "u-1", b"text")
    other = open_file_store(file_url)
    assert read(other, "u-1") == b"text"
    other.close()


@pytest.mark.parametrize("seed", range(2))
def test_what_a_killed_writer_finished_is_whole_and_nothing_else_is_there(
    files: FileStore, file_url: str, seed: int
) -> None:
    with Child("write_files", file_url) as killed:
        finished = killed.lines(random.Random(seed).randrange(1, 20))
        finished += killed.kill()
    for number in range(len(finished)):
        assert read(files, f"file-{number}") == b"".join(content_of(number))
    # One more may be stored that had not said so yet.
    with suppress(FileNotStored):
        assert read(files, f"file-{len(finished)}") == b"".join(content_of(len(finished)))
    with pytest.raises(FileNotStored):
        files.open(f"file-{len(finished) + 1}")


def test_nothing_is_seen_of_a_file_whose_writer_was_killed(files: FileStore, file_url: str) -> None:
    write(files, "u-2", b"first")
    for name in ("u-1", "u-2"):
        with Child("write_half", file_url, name) as killed:
            assert killed.lines(1) == ["half"]
    with pytest.raises(FileNotStored):
        files.open("u-1")
    assert read(files, "u-2") == b"first"


def test_a_store_that_does_not_answer_takes_no_file(unreachable_files: FileStore) -> None:
    with pytest.raises(StoreUnavailable):
        write(unreachable_files, "u-1", b"text")
    with pytest.raises(StoreUnavailable):
        unreachable_files.open("u-1")
    with pytest.raises(StoreUnavailable):
        unreachable_files.check()
