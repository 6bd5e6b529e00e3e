"""Connections to a service: kept while they are in use, and not used at the moment of their end."""

import socket
import struct
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import pytest

from gateway.proxy import upstream
from gateway.proxy.upstream import Upstream
from tests.servers.http import serving

IDLE_SECONDS = 0.2


class Closing(BaseHTTPRequestHandler):
    """Closes a connection that was idle for long, with a request on its way to it."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[list[str]] = []
    most_idle: ClassVar[float]

    def setup(self) -> None:
        super().setup()
        self.connections.append("one more")
        self._answered_at = time.monotonic()

    def do_POST(self) -> None:
        if time.monotonic() - self._answered_at > self.most_idle:
            reset_on_close = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self._answered_at = time.monotonic()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Upstream]:
    Closing.connections.clear()
    with serving(Closing) as port:
        service = Upstream("auth", f"http://127.0.0.1:{port}", 1)
        yield service
        service.close()


def ask(service: Upstream) -> int:
    return service.send("POST", "/", headers={}, body=b"", client_address="").status


def test_a_connection_is_used_again(service: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_MOST_IDLE_SECONDS", 600)
    monkeypatch.setattr(Closing, "most_idle", 600, raising=False)
    assert [ask(service) for _ in range(3)] == [200] * 3
    assert len(Closing.connections) == 1


def test_one_that_its_service_may_be_about_to_close_is_not(
    service: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_MOST_IDLE_SECONDS", IDLE_SECONDS)
    monkeypatch.setattr(Closing, "most_idle", 2 * IDLE_SECONDS, raising=False)
    for _ in range(3):
        assert ask(service) == 200
        time.sleep(3 * IDLE_SECONDS)
    assert len(Closing.connections) == 3
