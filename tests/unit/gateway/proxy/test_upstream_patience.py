"""How long the gateway waits for a service: short for a connection, long for an answer."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.proxy import upstream
from gateway.proxy.upstream import Upstream
from tests.servers.http import serving

CONNECT_SECONDS = 0.05


class Slow(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        time.sleep(4 * CONNECT_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(upstream, "_CONNECT_SECONDS", CONNECT_SECONDS)
    with serving(Slow) as port:
        service = Upstream("auth", f"http://127.0.0.1:{port}", 1)
        yield service
        service.close()


def ask(service: Upstream) -> int:
    return service.send("POST", "/", headers={}, body=b"", client_address="").status


def test_an_answer_may_take_longer_than_a_connection(service: Upstream) -> None:
    assert ask(service) == 200


def test_an_answer_that_takes_too_long_is_given_up(
    service: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_READ_SECONDS", CONNECT_SECONDS)
    with pytest.raises(UpstreamUnavailable):
        ask(service)
