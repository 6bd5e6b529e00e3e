"""A sample of the attacks of `python -m tests.attacks`: few clients, and little time for each."""

import threading
from collections.abc import Iterator

import pytest
import requests

from tests.attacks.__main__ import posting
from tests.attacks.slow_clients import Kind, attacking, kinds
from tests.attacks.watch import MEBIBYTE, watching
from tests.unit.gateway.fakes import bearer
from tests.unit.gateway.running import Gateway, serving
from tests.waiting import DEADLINE_SECONDS

# The server is started once.
pytestmark = pytest.mark.xdist_group("gateway-attacks")

TOKEN = "ana+uploads:read+uploads:write+rows:write"
HEADERS = bearer("ana", "uploads:read", "uploads:write", "rows:write")
PATHS = ["/healthz", "/v1/uploads"]
# More than there are threads or places.
CLIENTS = 24
KINDS = {
    **kinds(TOKEN),
    "kept connections": Kind(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", drip=b""),
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that is short of everything but time for those who work as they should."""
    directory = tmp_path_factory.mktemp("attacked")
    limits = {"max_slow_clients": 3, "max_waiting_seconds": DEADLINE_SECONDS}
    with serving(directory, threads=8, **limits) as gateway:
        yield gateway


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_keep_nobody_else_waiting(attacked: Gateway, kind: str) -> None:
    asked = threading.Event()
    with attacking(attacked.url, KINDS[kind], CLIENTS, 0.1) as attack:
        while attack.connected < CLIENTS:
            asked.wait(0.01)
        for path in PATHS * 2:
            answer = requests.get(
                f"{attacked.url}{path}", headers=HEADERS, timeout=DEADLINE_SECONDS
            )
            assert answer.status_code == 200


def test_large_forms_take_no_memory(attacked: Gateway) -> None:
    body = b"a&" * (10 * MEBIBYTE)
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    with (
        watching(attacked.url, HEADERS, PATHS, attacked.process.pid) as figures,
        posting(attacked.url, "/login", body, urlencoded, 2),
    ):
        threading.Event().wait(1)
    assert figures.failures == []
    assert figures.growth < 64 * MEBIBYTE
