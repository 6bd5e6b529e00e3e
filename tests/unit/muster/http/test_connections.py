"""Clients that send nothing, half a head or too much: they take no thread and keep nobody out."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.scarcity import no_more_files
from tests.unit.muster.http.serving import Served, cut_off, rest_of, serving, until
from tests.waiting import DEADLINE_SECONDS, eventually


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(hello, max_head_bytes=4096, max_connections=16) as served:
        yield served


@pytest.fixture
def hasty() -> Iterator[Served]:
    with serving(hello, head_seconds=1) as served:
        yield served


def head_and_problem(answer: bytes) -> tuple[bytes, dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, json.loads(body)


def test_a_request_is_answered_and_the_connection_kept(served: Served) -> None:
    with served.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert until(connection, b"hello")


def test_requests_that_are_sent_ahead_are_answered_one_after_another(served: Served) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(request * 3 + last[:30])
        connection.sendall(last[30:])
        assert rest_of(connection).count(b"hello") == 4


def test_a_head_that_comes_byte_by_byte_is_answered(served: Served) -> None:
    with served.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert rest_of(connection).endswith(b"hello")


def test_clients_with_half_a_head_take_no_thread(served: Served) -> None:
    with ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(served.connect()).sendall(b"GET / HT")
        assert served.ask().endswith(b"hello")


def test_a_head_that_takes_too_long_is_told_the_limit(hasty: Served) -> None:
    before = cut_off("head-time")
    with hasty.connect() as connection:
        connection.sendall(b"GET / HT")
        head, problem = head_and_problem(rest_of(connection))
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"X-Content-Type-Options: nosniff" in head
    assert problem["detail"] == "The head of the request did not arrive within 1 s."
    assert cut_off("head-time") == before + 1


def test_the_time_of_a_head_is_not_renewed_by_its_bytes(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        connection.settimeout(0.1)
        received = b""
        for _ in range(600):
            try:
                connection.sendall(b"x")
                received += connection.recv(65536)
                break
            except TimeoutError:
                continue
        assert received.startswith(b"HTTP/1.1 408 ")


def test_a_head_that_is_too_large_is_told_the_limit(served: Served) -> None:
    before = cut_off("head-size")
    with served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 5000)
        head, problem = head_and_problem(rest_of(connection))
    assert head.startswith(b"HTTP/1.1 431 ")
    assert problem["detail"] == "The head of a request may have 4,096 bytes at most."
    assert cut_off("head-size") == before + 1


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"G\xff\xfeT / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: foo\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: ponies\r\n\r\n", 417),
        (b"\r\n\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_is_refused_by_a_problem(
    served: Served, request_line: bytes, status: int
) -> None:
    with served.connect() as connection:
        connection.sendall(request_line)
        head, problem = head_and_problem(rest_of(connection))
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"X-Content-Type-Options: nosniff" in head
    assert problem["status"] == status


def test_more_idle_connections_than_there_may_be_keep_nobody_out(served: Served) -> None:
    before = cut_off("full")
    with ExitStack() as clients:
        idle = [clients.enter_context(served.connect()) for _ in range(60)]
        assert served.ask().endswith(b"hello")
        assert cut_off("full") > before
        # The oldest went first; the latest are there.
        assert idle[0].recv(1) == b""
        idle[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(idle[-1], b"hello")


def test_kept_connections_make_room_likewise(served: Served) -> None:
    with ExitStack() as clients:
        for _ in range(60):
            connection = clients.enter_context(served.connect())
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert until(connection, b"hello")
        assert served.ask().endswith(b"hello")


def test_an_idle_connection_ends() -> None:
    before = cut_off("idle")
    with serving(hello, keepalive_seconds=0.5) as served, served.connect() as connection:
        assert connection.recv(1) == b""
    assert cut_off("idle") == before + 1


def test_connections_of_many_addresses_outlive_those_of_one() -> None:
    with serving(hello, max_connections=16) as served, ExitStack() as clients:
        other = socket.socket()
        clients.enter_context(other)
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", served.port))
        for _ in range(60):
            clients.enter_context(served.connect())
        assert served.ask().endswith(b"hello")
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(other, b"hello")


def test_requests_that_are_on_their_way_have_a_bound_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("muster.http.worker._MOST_BYTES", 10_000)
    before = cut_off("full")
    with serving(hello, max_head_bytes=4096) as served, ExitStack() as clients:
        for _ in range(6):
            clients.enter_context(served.connect()).sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 3000)
        eventually(lambda: cut_off("full") >= before + 3)
        assert served.ask().endswith(b"hello")


def test_who_was_let_in_is_answered_when_the_server_stops() -> None:
    with serving(hello) as served, served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        eventually(lambda: any(each.head for each in list(served.worker._idle)))
        served.worker.handle_exit(15, None)
        connection.sendall(b"\r\n")
        answer = rest_of(connection)
    assert answer.endswith(b"hello")
    assert b"Connection: close\r\n" in answer


def test_want_of_open_files_ends_no_request_and_passes() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        assert go_on.wait(DEADLINE_SECONDS)
        return hello(environ, start_response)

    def pauses() -> float:
        return REGISTRY.get_sample_value("muster_accept_pauses_total") or 0.0

    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with serving(slow) as served, served.connect() as first, socket.socket() as next_one:
        first.sendall(request)
        assert begun.wait(DEADLINE_SECONDS)
        before, cpu = pauses(), time.process_time()
        with no_more_files():
            next_one.settimeout(DEADLINE_SECONDS)
            next_one.connect(("127.0.0.1", served.port))
            next_one.sendall(request)
            eventually(lambda: pauses() >= before + 3)
            # It asks four times a second, not as often as it can.
            assert time.process_time() - cpu < 0.5
        go_on.set()
        assert rest_of(first).endswith(b"hello")
        assert rest_of(next_one).endswith(b"hello")
