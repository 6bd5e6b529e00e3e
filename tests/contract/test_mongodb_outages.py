"""A MongoDB that dies or hangs is unavailable meanwhile; what it acknowledged is there after."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from gateway.uploads.sweep import sweep
from muster.contracts.uploads import Upload
from muster.filestore import FileNotStored
from muster.stores import Stores, open_stores
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload
from tests.servers.mongodb import MongoServer, new_store
from tests.waiting import eventually

HALF = b"half of it" * 100_000


pytestmark = pytest.mark.xdist_group("mongodb-node")


@pytest.fixture
def server(mongodb_node: MongoServer) -> MongoServer:
    return mongodb_node


@pytest.fixture
def database(server: MongoServer) -> Iterator[str]:
    """The name of a database of the test's own."""
    with new_store(server.url()) as url:
        yield urlsplit(url).path[1:]


@pytest.fixture
def stores(server: MongoServer, database: str) -> Iterator[Stores]:
    """A store that is connected, so that it soon finds out when its server is gone."""
    with closing(open_stores(server.url(database, serverSelectionTimeoutMS="500"))) as stores:
        eventually(lambda: answers(stores))
        yield stores


@pytest.fixture
def impatient(server: MongoServer, database: str) -> Iterator[Stores]:
    """The same store, connected, which takes a server that is only slow for one that hangs."""
    url = server.url(database, serverSelectionTimeoutMS="500", socketTimeoutMS="500")
    with closing(open_stores(url)) as stores:
        eventually(lambda: answers(stores))
        yield stores


def write(stores: Stores, name: str, content: bytes) -> None:
    with stores.files.write(name) as file:
        file.write(content)


def count_chunks(server: MongoServer, database: str) -> int:
    with MongoClient[dict[str, Any]](server.url(database)) as client:
        return client.get_default_database()["csv.chunks"].count_documents({})


def answers(stores: Stores) -> bool:
    try:
        stores.check()
    except StoreUnavailable:
        return False
    return True


def test_what_a_killed_server_acknowledged_is_there_when_it_is_back(
    server: MongoServer, stores: Stores
) -> None:
    accepted = stores.uploads.accept(an_upload(idempotency_key="k"))
    write(stores, "u-1", HALF)
    server.kill()
    with pytest.raises(StoreUnavailable):
        stores.uploads.get("u-1")
    with pytest.raises(StoreUnavailable):
        stores.uploads.accept(an_upload(id="u-2"))
    with pytest.raises(StoreUnavailable):
        stores.files.open("u-1")
    server.start()
    eventually(lambda: answers(stores))
    assert stores.uploads.get("u-1") == accepted
    with stores.files.open("u-1") as file:
        assert file.read() == HALF
    assert stores.uploads.accept(an_upload(id="u-2")).sequence > accepted.sequence


def test_every_upload_accepted_before_a_kill_is_there(server: MongoServer, stores: Stores) -> None:
    def accept_until_it_fails() -> None:
        while True:
            accepted.append(stores.uploads.accept(an_upload(id=f"u-{len(accepted)}")))
            if len(accepted) == 50:
                server.kill()

    accepted: list[Upload] = []
    with pytest.raises(StoreUnavailable):
        accept_until_it_fails()
    server.start()
    eventually(lambda: answers(stores))
    assert stores.uploads.unpublished(limit=1000) == accepted


def test_a_file_whose_server_died_is_not_seen_and_its_remains_are_swept(
    server: MongoServer, database: str, stores: Stores
) -> None:
    def write_while_it_dies() -> None:
        with stores.files.write("u-1") as file:
            file.write(HALF)
            eventually(lambda: count_chunks(server, database) > 0)
            server.kill()
            file.write(HALF)

    with pytest.raises(StoreUnavailable):
        write_while_it_dies()
    server.start()
    eventually(lambda: answers(stores))
    with pytest.raises(FileNotStored):
        stores.files.open("u-1")
    assert sweep(stores, older_than=-1) == 1
    assert sweep(stores, older_than=-1) == 0


def test_reading_on_after_the_server_died_is_an_outage(server: MongoServer, stores: Stores) -> None:
    write(stores, "u-1", HALF * 10)
    with stores.files.open("u-1") as file:
        assert file.read(10) == HALF[:10]
        server.kill()
        with pytest.raises(StoreUnavailable):
            file.read()
        server.start()
        eventually(lambda: answers(stores))
        file.seek(-10, 2)
        assert file.read() == HALF[-10:]


def test_a_server_that_hangs_is_not_waited_for_for_ever(
    server: MongoServer, stores: Stores, impatient: Stores
) -> None:
    accepted = stores.uploads.accept(an_upload())
    server.pause()
    try:
        with pytest.raises(StoreUnavailable):
            impatient.uploads.get("u-1")
    finally:
        server.resume()
    eventually(lambda: answers(impatient))
    eventually(lambda: answers(stores))
    assert stores.uploads.get("u-1") == accepted
