import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from muster.http import healthcheck
from tests.servers.http import serving

Check = Callable[..., int]


class _Process(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with serving(_Process) as port:
        yield port


@pytest.fixture
def check(port: int, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks the process at `port`, which may take its time."""
    monkeypatch.setattr(healthcheck, "_TIMEOUT", 60)
    monkeypatch.setenv("MUSTER_HEALTH_PORT", str(port))
    # A proxy that is not there: a check that asked it would fail.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    def ask(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["healthcheck", *arguments])
        return healthcheck.main()

    return ask


def test_a_process_that_says_so_is_well(check: Check) -> None:
    assert check() == 0
    assert check("/healthz") == 0


def test_a_process_that_is_not_ready_is_not_well(check: Check) -> None:
    assert check("/readyz") == 1


def test_a_process_that_does_not_answer_is_not_well() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "muster.http.healthcheck"],
        env={"MUSTER_HEALTH_PORT": "1"},
        capture_output=True,
        text=True,
    )
    assert (asked.returncode, asked.stdout[:10]) == (1, "no answer:")
