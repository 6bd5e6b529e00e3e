"""An S3 server that dies or hangs is unavailable meanwhile; what it took is there after."""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import BinaryIO

import pytest

from gateway.uploads.sweep import sweep
from muster.filestore import FileNotStored, FileStore, open_file_store
from muster.stores import Stores, open_stores
from muster.weather import StoreUnavailable
from tests.servers.s3 import S3Server, new_bucket
from tests.waiting import eventually

HALF = b"half of it" * 600_000  # more than a part

pytestmark = pytest.mark.xdist_group("s3-node")


@pytest.fixture
def url(s3_node: S3Server) -> Iterator[str]:
    with new_bucket(s3_node.url()) as url:
        yield url


@pytest.fixture
def stores(url: str, file_store_url: str) -> Iterator[Stores]:
    with closing(open_stores(file_store_url, url)) as stores:
        yield stores


@pytest.fixture
def impatient(url: str) -> Iterator[FileStore]:
    """The same bucket, for who takes a server that is only slow for one that hangs."""
    with closing(open_file_store(f"{url}&answer_seconds=2")) as files:
        yield files


def write(stores: Stores, name: str, content: bytes) -> None:
    with stores.files.write(name) as file:
        file.write(content)


def read(stores: Stores, name: str) -> bytes:
    with stores.files.open(name) as file:
        return file.read()


def come_back(server: S3Server, stores: Stores) -> None:
    server.start()
    eventually(lambda: answers(stores))


def answers(stores: Stores) -> bool:
    try:
        stores.files.check()
        [*stores.files.names(0)]
    except StoreUnavailable:
        return False
    return True


def test_a_file_whose_server_died_is_not_seen_and_its_remains_are_swept(
    s3_node: S3Server, stores: Stores
) -> None:
    write(stores, "u-0", b"before")
    write(stores, "u-2", HALF)

    def write_while_it_dies() -> None:
        with stores.files.write("u-1") as file:
            file.write(HALF)
            s3_node.kill()
            file.write(HALF)

    with pytest.raises(StoreUnavailable):
        write_while_it_dies()
    for call in (
        stores.files.check,
        lambda: write(stores, "u-3", b"text"),
        lambda: stores.files.open("u-0"),
        lambda: stores.files.delete("u-0"),
        lambda: [*stores.files.names(0)],
    ):
        with pytest.raises(StoreUnavailable):
            call()
    come_back(s3_node, stores)
    assert read(stores, "u-0") == b"before"
    assert read(stores, "u-2") == HALF
    with pytest.raises(FileNotStored):
        stores.files.open("u-1")
    assert [name for name in stores.files.names(-1) if name.startswith(".u-1/")]
    assert sweep(stores, older_than=-1) == 3
    assert sweep(stores, older_than=-1) == 0


def test_reading_on_after_the_server_died_is_an_outage(s3_node: S3Server, stores: Stores) -> None:
    write(stores, "u-1", HALF)
    with stores.files.open("u-1") as file:
        assert file.read(10) == HALF[:10]
        s3_node.kill()
        with pytest.raises(StoreUnavailable):
            file.read()
        come_back(s3_node, stores)
        file.seek(-10, 2)
        assert file.read() == HALF[-10:]


def test_a_server_that_hangs_is_not_waited_for_for_ever(
    s3_node: S3Server, stores: Stores, impatient: FileStore
) -> None:
    write(stores, "u-1", HALF)

    def write_while_it_hangs() -> None:
        with impatient.write("u-2") as file:
            file.write(HALF)
            s3_node.pause()
            hangs.append(True)
            file.write(HALF)

    hangs: list[bool] = []
    with opened(impatient, "u-1") as file:
        try:
            with pytest.raises(StoreUnavailable):
                write_while_it_hangs()
            if not hangs:
                # Slow as it was, it was taken for one that hangs already.
                s3_node.pause()
            file.seek(-10, 2)
            for call in (file.read, impatient.check, lambda: [*impatient.names(0)]):
                with pytest.raises(StoreUnavailable):
                    call()
        finally:
            s3_node.resume()
        eventually(lambda: answers(stores))
        assert read(stores, "u-1") == HALF
    with pytest.raises(FileNotStored):
        stores.files.open("u-2")


def opened(files: FileStore, name: str) -> BinaryIO:
    """On a slow machine, not at the first attempt."""
    found: list[BinaryIO] = []

    def is_open() -> bool:
        with suppress(StoreUnavailable):
            found.append(files.open(name))
        return bool(found)

    eventually(is_open)
    return found[0]
