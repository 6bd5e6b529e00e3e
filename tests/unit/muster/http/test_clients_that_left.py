"""Requests whose clients have left while they waited for a thread."""

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from muster.http import client
from tests.unit.muster.http.serving import Served, cut_off, rest_of, serving
from tests.waiting import DEADLINE_SECONDS, eventually


class Busy:
    """An app whose one thread is held by the first request; it notes the paths of all."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.paths.append(environ["PATH_INFO"])
        assert self.go_on.wait(DEADLINE_SECONDS)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def served(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(client, "_PATIENCE_SECONDS", 0.0)
    with serving(busy, threads=1, max_waiting_seconds=DEADLINE_SECONDS) as served:
        yield served


def send(served: Served, path: str, version: str = "1.1") -> socket.socket:
    connection = served.connect()
    connection.sendall(
        f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    return connection


def hold(served: Served, busy: Busy) -> socket.socket:
    first = send(served, "/first")
    eventually(lambda: busy.paths == ["/first"])
    return first


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for_requests(served: Served, number: int) -> None:
    """Until so many wait for a thread."""
    eventually(lambda: served.worker.tpool._work_queue.qsize() == number)


@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "close"])
def test_a_request_whose_client_has_left_is_not_begun(
    served: Served, busy: Busy, leave: Any
) -> None:
    before = cut_off("gone")
    with hold(served, busy) as first:
        left = [send(served, "/left") for _ in range(3)]
        wait_for_requests(served, 3)
        for connection in left:
            leave(connection)
        last = send(served, "/last")
        wait_for_requests(served, 4)
        busy.go_on.set()
        assert rest_of(first).endswith(b"hello")
        assert rest_of(last).endswith(b"hello")
        last.close()
    assert busy.paths == ["/first", "/last"]
    assert cut_off("gone") == before + 3
    # None of them is counted as open any more.
    eventually(lambda: served.worker.nr_conns == 0)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_only_sends_no_more_is_answered(
    served: Served, busy: Busy, version: str
) -> None:
    with hold(served, busy) as first, send(served, "/half", version) as half:
        half.shutdown(socket.SHUT_WR)
        wait_for_requests(served, 1)
        busy.go_on.set()
        assert rest_of(first).endswith(b"hello")
        answer = rest_of(half)
    # It has passed over an interim response, which one of HTTP/1.0 can't.
    assert answer.startswith(b"HTTP/1.1 100 ") == (version == "1.1")
    assert answer.endswith(b"hello")
    assert busy.paths == ["/first", "/half"]


def test_a_client_that_is_answered_at_once_is_not_asked_whether_it_is_there(busy: Busy) -> None:
    busy.go_on.set()
    with serving(busy) as served, send(served, "/half") as half:
        half.shutdown(socket.SHUT_WR)
        assert rest_of(half).startswith(b"HTTP/1.1 200 ")
