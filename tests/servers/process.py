"""A private server as a process of its own, on a free port: started, killed, paused by a test."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from embedded import lifeline

_START_SECONDS = 250.0
_POLL_SECONDS = 0.1


class ServerProcess:
    """Runs on the data in `directory` from start() until kill(), and may start again.

    A subclass says with what command it runs and how to see that it answers.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def argv(self) -> Sequence[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables that the server needs beside those of this process."""
        return {}

    def answers(self) -> bool:
        """Whether the server serves; asked until it does."""
        raise NotImplementedError

    def start(self) -> None:
        """Run it, and return once it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                # Nothing is left running when the tests themselves are killed.
                lifeline.command(signal.SIGKILL, self.argv()),
                # Here it leaves what it says when it crashes.
                cwd=self.directory,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, f"no answer:\n{self._log.read_text()}"
            time.sleep(_POLL_SECONDS)

    def pause(self) -> None:
        """Have it answer nothing, though its port is open, until resume()."""
        self.signal(signal.SIGSTOP)
        assert self._process is not None
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Have it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL; what it had acknowledged is on the disk."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the signal to the server and to all that it started."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


def require(present: bool, what: str) -> None:
    """Skip the test where `what` is not there, as on a laptop; fail it where CI is set."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(f"no {what} here")
    pytest.skip(f"no {what} here")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now, nor any client by chance.

    Systems give clients ports from 32768 on: one of those could be in use when a server comes back,
    even by a client that was looking whether the server is there. And while the server is away, no
    other process that asks here is given its port, for as long as this one lives.
    """
    while True:
        port = random.randrange(10_000, 32_768)
        with (
            socket.socket() as probe,
            socket.socket(type=socket.SOCK_DGRAM) as token,
            suppress(OSError),
        ):
            probe.bind(("127.0.0.1", port))
            # UDP's ports are others, which no server here uses: they tell which of TCP's are given.
            token.bind(("127.0.0.1", port))
            token.detach()
            return port
