"""How long the gateway waits for a service: short for a connection, long for an answer."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.proxy import upstream
from gateway.proxy.upstream import Upstream
from tests.servers.http import serving

CONNECT_SECONDS = 0.05


class Slow(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.asked.append(self.command)
        time.sleep(4 * CONNECT_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked() -> list[str]:
    """The methods that the service was asked with, as it saw them."""
    Slow.asked.clear()
    return Slow.asked


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(upstream, "_CONNECT_SECONDS", CONNECT_SECONDS)
    with serving(Slow) as port:
        service = Upstream("auth", f"http://127.0.0.1:{port}", 1)
        yield service
        service.close()


def ask(service: Upstream, method: str) -> int:
    return service.send(method, "/", headers={}, body=b"", client_address="").status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_may_take_longer_than_a_connection(service: Upstream, method: str) -> None:
    assert ask(service, method) == 200


@pytest.mark.parametrize(("method", "limit"), [("GET", "_LOOK_SECONDS"), ("POST", "_READ_SECONDS")])
def test_an_answer_that_takes_too_long_is_given_up_and_not_asked_for_again(
    service: Upstream,
    asked: list[str],
    method: str,
    limit: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, limit, CONNECT_SECONDS)
    with pytest.raises(UpstreamUnavailable):
        ask(service, method)
    assert asked == [method]
