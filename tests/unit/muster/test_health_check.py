import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest


class _Process(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Process) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def check(port: int, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "muster.healthcheck", *arguments],
        # A proxy that is not there: a check that asked it would fail.
        env={"MUSTER_HEALTH_PORT": str(port), "http_proxy": "http://127.0.0.1:1"},
        capture_output=True,
        timeout=30,
    ).returncode


def test_a_process_that_says_so_is_well(port: int) -> None:
    assert check(port) == 0
    assert check(port, "/healthz") == 0


def test_a_process_that_is_not_ready_is_not_well(port: int) -> None:
    assert check(port, "/readyz") == 1


def test_a_process_that_does_not_answer_is_not_well() -> None:
    assert check(1) == 1
