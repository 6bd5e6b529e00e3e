"""A MongoDB that is away or hangs keeps few threads, and each only for so long."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from embedded import ports
from muster.backends.shared import Shared
from muster.uploadstore import UploadStore, open_upload_store
from muster.weather import StoreUnavailable
from tests.waiting import DEADLINE_SECONDS, eventually

SELECTION_SECONDS = 1.0


def store_at(port: int, places: int | None = None) -> UploadStore:
    return open_upload_store(
        f"mongodb://127.0.0.1:{port}/muster?serverSelectionTimeoutMS={SELECTION_SECONDS * 1000:.0f}"
        "&connectTimeoutMS=60000&socketTimeoutMS=60000",
        Shared(places),
    )


@pytest.fixture
def nowhere() -> Iterator[int]:
    with ports.reserve() as reserved:
        yield ports.port_of(reserved)


def seconds_of_failure(store: UploadStore) -> float:
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.get("u-1")
    return time.monotonic() - started


def test_of_many_who_need_a_store_that_is_away_one_at_a_time_waits_for_it(nowhere: int) -> None:
    with closing(store_at(nowhere)) as store:
        assert seconds_of_failure(store) >= SELECTION_SECONDS
        with ThreadPoolExecutor(20) as pool:
            took = sorted(pool.map(lambda _: seconds_of_failure(store), range(20)))
        # Most at once, and in the second that one waits: nobody waits behind another.
        assert sum(each < SELECTION_SECONDS / 2 for each in took) >= 15


def test_a_store_that_is_back_is_used_at_once(nowhere: int) -> None:
    with closing(store_at(nowhere)) as store:
        seconds_of_failure(store)
        connection = store.connection  # type: ignore[attr-defined]
        connection._has_primary = lambda: True
        # It is tried again, by all.
        with ThreadPoolExecutor(3) as pool:
            took = list(pool.map(lambda _: seconds_of_failure(store), range(3)))
        assert min(took) >= SELECTION_SECONDS


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield ports.port_of(listener)


def test_a_store_that_hangs_keeps_no_more_threads_than_it_has_places(hanging: int) -> None:
    with closing(store_at(hanging, places=2)) as store, ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(store.get, "u-1") for _ in range(2)]
        free = store.connection._shared._free  # type: ignore[attr-defined]
        eventually(lambda: free._value == 0)
        assert seconds_of_failure(store) < SELECTION_SECONDS
        for each in inside:
            assert isinstance(each.exception(DEADLINE_SECONDS), StoreUnavailable)
        assert free._value == 2


def test_a_call_made_of_calls_takes_one_place(hanging: int) -> None:
    with closing(store_at(hanging, places=1)) as store:
        connection = store.connection  # type: ignore[attr-defined]
        connection._prepare = lambda: None
        with connection.using(), connection.using():
            pass
        with connection.using():
            pass
