"""The suite as a process, for what needs a running one: the demo, tests, the bench."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from embedded import lifeline

_READY = re.compile(r"muster is ready at (http://\S+)")
# A machine that is busy with much else starts and stops a healthy suite, too, only later.
_PATIENCE = {"MUSTER_START_SECONDS": "300", "MUSTER_STOP_SECONDS": "60"}
_STOP_SECONDS = 300.0


class SuiteFailed(Exception):
    """The suite ended without getting ready; the message is what it said."""


class SuiteProcess:
    """`python -m embedded` on a data directory and a free port; a context that ends it.

    `environment` is added to this process's. Raises SuiteFailed.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._said = home.with_name(f"{home.name}.stderr")
        self._environment = {
            **_PATIENCE,
            **os.environ,
            "MUSTER_PORT": "0",
            **(environment or {}),
            "MUSTER_HOME": str(home),
        }
        self._process = self._start()
        self.url = self._wait_for_url()

    def _start(self) -> subprocess.Popen[str]:
        with self._said.open("ab") as said:
            return subprocess.Popen(
                lifeline.command(signal.SIGTERM, [sys.executable, "-m", "embedded"]),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
                text=True,
            )

    def _wait_for_url(self) -> str:
        # The supervisor's own deadline bounds this: then it ends, and so does its output.
        said = self._process.stdout.readline() if self._process.stdout else ""
        ready = _READY.fullmatch(said.strip())
        if ready is None:
            self.stop()
            raise SuiteFailed(self._said.read_text())
        return ready[1]

    def admin_password(self) -> str:
        """The generated password of admin@example.com."""
        return (self.home / "admin-password").read_text().strip()

    def pid(self, name: str) -> int:
        """The process id of the child `name`, such as "dbuploader-consumer"."""
        return int((self.home / "run" / f"{name}.pid").read_text())

    def has_restarted(self, name: str, before: int) -> bool:
        """Whether the child `name` runs again, in another process than `before`."""
        try:
            return self.pid(name) != before
        except FileNotFoundError:
            # It has ended, and the next has not begun.
            return False

    def kill(self, name: str) -> bool:
        """Kill the child `name` with SIGKILL; returns whether it ran at the moment."""
        try:
            os.kill(self.pid(name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    @property
    def supervisor_pid(self) -> int:
        """The process id of the supervisor, below which everything else runs."""
        return self._process.pid

    def kill_supervisor(self) -> None:
        """Kill the supervisor with SIGKILL, which ends all of its children, too."""
        self._process.kill()
        self._end()

    def start_again(self) -> None:
        """Start the suite that was ended, at the URL that it had. Raises SuiteFailed.

        On Linux it ends with the thread that calls this: prctl(2), PR_SET_PDEATHSIG.
        """
        self._environment["MUSTER_PORT"] = self.url.rpartition(":")[2]
        self._process = self._start()
        self.url = self._wait_for_url()

    def stop(self, ending: signal.Signals = signal.SIGTERM) -> int:
        """Stop the suite as a user does; returns the exit status."""
        self._process.send_signal(ending)
        return self._end()

    def _end(self) -> int:
        status = self._process.wait(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
