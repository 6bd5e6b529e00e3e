"""Requests that come while others have waited too long for a thread."""

import time

import pytest

from tests.unit.muster.http.serving import cut_off, rest_of, serving
from tests.unit.muster.http.test_clients_that_left import Busy, hold, send, wait_for_requests


def test_what_comes_when_others_wait_too_long_is_refused_at_once_and_later_is_not() -> None:
    busy, before = Busy(), cut_off("busy")
    with serving(busy, threads=1, max_waiting_seconds=0.05) as served, hold(served, busy) as first:
        second = send(served, "/second")
        wait_for_requests(served, 1)
        time.sleep(0.1)
        with send(served, "/third") as third:
            refusal = rest_of(third)
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in refusal
        # Else a process that works as fast as it can would be taken for dead.
        health = send(served, "/healthz")
        wait_for_requests(served, 2)
        busy.go_on.set()
        for answered in (first, second, health):
            assert rest_of(answered).endswith(b"hello")
        with send(served, "/fourth") as fourth:
            assert rest_of(fourth).endswith(b"hello")
        second.close()
        health.close()
    assert busy.paths == ["/first", "/second", "/healthz", "/fourth"]
    assert cut_off("busy") == before + 1


@pytest.mark.parametrize(
    ("request_line", "left"),
    [(b"GET / HTTP/1.1", 0), (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", 1)],
)
def test_a_refused_client_is_listened_to_only_where_more_may_come(
    request_line: bytes, left: int
) -> None:
    busy = Busy()
    with serving(busy, threads=1, max_waiting_seconds=0.05) as served, hold(served, busy) as first:
        second = send(served, "/second")
        wait_for_requests(served, 1)
        time.sleep(0.1)
        with served.connect() as refused:
            refused.sendall(request_line + b"\r\nHost: x\r\n\r\n")
            assert rest_of(refused).startswith(b"HTTP/1.1 503 ")
            assert served.worker.nr_conns == 2 + left
        busy.go_on.set()
        for answered in (first, second):
            assert rest_of(answered).endswith(b"hello")
        second.close()
