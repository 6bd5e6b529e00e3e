"""The gateway under a real gunicorn, on a free port."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from embedded import ports
from tests.waiting import DEADLINE_SECONDS, eventually

MEGABYTE = 1_000_000
LIMIT = 2 * MEGABYTE
ROOT = Path(__file__).parents[3]


@dataclass
class Gateway:
    port: int
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)


def answers(gateway: Gateway) -> bool:
    try:
        return requests.get(f"{gateway.url}/healthz", timeout=DEADLINE_SECONDS).ok
    except requests.ConnectionError:
        assert gateway.process.poll() is None, (gateway.home / "log").read_text()
        return False


@contextmanager
def serving(
    home: Path, *, read_timeout: float = DEADLINE_SECONDS, **more: object
) -> Iterator[Gateway]:
    """A gateway that gives up a client who stalls for so many seconds; `more` are its settings."""
    settings = {
        "MUSTER_HOME": str(home),
        "MUSTER_THREADS": "4",
        "MUSTER_MAX_UPLOAD_BYTES": str(LIMIT),
        "MUSTER_READ_TIMEOUT_SECONDS": str(read_timeout),
        **{f"MUSTER_{name.upper()}": str(value) for name, value in more.items()},
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    with ports.reserve() as reserved, (home / "log").open("wb") as log:
        port = ports.port_of(reserved)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", "python:muster.serving"),
                "tests.unit.gateway.served:create()",
            ],
            cwd=ROOT,
            env={**kept, **settings, "MUSTER_BIND": f"127.0.0.1:{port}"},
            stdout=log,
            stderr=log,
        )
        gateway = Gateway(port, home, process)
        try:
            eventually(lambda: answers(gateway))
            yield gateway
            process.terminate()
            assert process.wait(DEADLINE_SECONDS) == 0
        finally:
            process.kill()
            process.wait()
