"""A replica set all of whose members have other addresses is found again, by its name."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from muster.uploadstore import UploadNotFound, UploadStore, open_upload_store
from muster.weather import StoreUnavailable
from tests.servers.replicaset import Member
from tests.waiting import eventually


@pytest.fixture
def first() -> Iterator[Member]:
    with Member() as member:
        yield member


@pytest.fixture
def second() -> Iterator[Member]:
    with Member() as member:
        yield member


@pytest.fixture
def named(first: Member) -> Iterator[Member]:
    """What the name in the URL stands for: it says where the set's only member is now."""
    with Member(first.me) as member:
        yield member


def answers(store: UploadStore) -> bool:
    try:
        store.get("u-1")
    except UploadNotFound:
        return True
    except StoreUnavailable:
        return False
    raise AssertionError("there is no such upload")


def test_a_set_that_moved_as_a_whole_is_found_by_the_name_in_the_url(
    named: Member, first: Member, second: Member
) -> None:
    url = f"mongodb://127.0.0.1:{named.port}/muster?replicaSet=rs0&serverSelectionTimeoutMS=500"
    with closing(open_upload_store(url)) as store:
        eventually(lambda: answers(store))
        first.end()
        named.me = second.me
        assert not answers(store)
        eventually(lambda: answers(store))


def test_one_that_is_away_where_the_url_says_is_waited_for_by_the_same_client(
    first: Member,
) -> None:
    url = f"mongodb://{first.me}/muster?replicaSet=rs0&serverSelectionTimeoutMS=500"
    with closing(open_upload_store(url)) as store:
        eventually(lambda: answers(store))
        connection = store.connection  # type: ignore[attr-defined]
        client = connection._database.client
        first.end()
        assert not answers(store)
        assert connection._database.client is client
