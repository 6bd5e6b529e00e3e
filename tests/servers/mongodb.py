"""A private MongoDB-compatible server (SecantusDB) as a process of its own, on a free port."""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from embedded import lifeline

_PROGRAM = Path(sysconfig.get_path("scripts")) / "secantusd-py"
_START_SECONDS = 60.0


class MongoServer:
    """Runs on the data in `directory` from start() until kill(), and may start again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def url(self, database: str, **options: str) -> str:
        """The URL of a database, with `options` of pymongo."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"mongodb://127.0.0.1:{self._port}/{database}?{query}"

    def start(self) -> None:
        """Run it, and return once it answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        arguments = {
            "--config": self._configuration(),
            "--port": str(self._port),
            "--storage-path": str(self._directory / "data"),
            "--cache-size": "128M",
            # Nothing reads the oplog, in which it keeps a second copy of every file.
            "--oplog-max-entries": "100",
            "--log-level": "WARNING",
        }
        argv = [str(_PROGRAM), *(word for pair in arguments.items() for word in pair)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # Nothing is left running when the tests themselves are killed.
                lifeline.command(signal.SIGKILL, argv),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def pause(self) -> None:
        """Have it answer nothing, though its port is open, until resume()."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL; what it had acknowledged is on the disk."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # To its session: where it needs a watcher, that one goes with it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _configuration(self) -> str:
        # Named, so that no file of the user's is looked for.
        path = self._directory / "secantusd.toml"
        path.touch()
        return str(path)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        with MongoClient[dict[str, object]](self.url("admin"), timeoutMS=1000) as client:
            while True:
                try:
                    client.admin.command("ping")
                    return
                except PyMongoError:
                    assert self._process.poll() is None, (self._directory / "log").read_text()
                    assert time.monotonic() < deadline, "the server does not answer"


def require_server() -> None:
    """Skip where there is no server to start, as on a Python it has no wheel for; fail in CI."""
    if _PROGRAM.exists():
        return
    reason = f"no SecantusDB for Python {sys.version_info.major}.{sys.version_info.minor}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
