"""One child process: started, watched, logged to a file, stopped."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO

import structlog

from embedded.home import Home
from embedded.launcher import Execute, Launcher, Process
from muster.backends.atomic_file import replace_file
from muster.observability.log_file import LogFileSettings, rotate
from muster.worker.retry import RetryPolicy

log = structlog.get_logger(__name__)

TAIL_LINES = 20
_SHORTEST_BACKOFF = timedelta(seconds=0.1)
LONGEST_BACKOFF = 10.0
_STEADY_SECONDS = 10.0
_EXECUTE = Execute()


@dataclass(frozen=True)
class Program:
    """What to run: `environment` is all that it gets.

    `health` is the URL of its health routes, None for a command that runs to its end. `listener`
    is a socket that it inherits. A `front` process is told first to stop; those behind it are told
    when it has ended, if it is a `caller` of theirs.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: str | None = None
    listener: socket.socket | None = None
    front: bool = field(default=False, kw_only=True)
    caller: bool = field(default=True, kw_only=True)


class Child:
    """A program and the process that runs it now, if any.

    After several deaths in a row it rests for `longest_backoff` seconds at most.
    """

    def __init__(
        self,
        program: Program,
        home: Home,
        longest_backoff: float = LONGEST_BACKOFF,
        launcher: Launcher = _EXECUTE,
    ) -> None:
        self.program = program
        self._launcher = launcher
        self._rests = RetryPolicy(_SHORTEST_BACKOFF, timedelta(seconds=longest_backoff))
        self.log = home.logs / f"{program.name}.log"
        self.deaths = 0
        self.restart_at = 0.0
        self._pid_file = home.run / f"{program.name}.pid"
        self._noted_pid: int | None = None
        self._process: Process | None = None
        self._started_at = time.monotonic()

    def start(self) -> None:
        """Start the process, in a session of its own, its output appended to `log`.

        Raises OSError where there is no room for a process.
        """
        self._started_at = time.monotonic()
        with self._open_log() as output:
            self._process = self._launcher.launch(
                self.program.command,
                {**self.program.environment, "MUSTER_LOG_FILE": str(self.log)},
                output,
                self.program.listener,
            )
        self.note_pid()

    def note_pid(self) -> None:
        """Write the process's id to its file, if that can be written; raises nothing."""
        pid = self.pid
        if pid is not None and pid != self._noted_pid:
            with suppress(OSError):
                replace_file(self._pid_file, f"{pid}\n".encode())
                self._noted_pid = pid

    def ended(self) -> int | None:
        """The exit status of a process that has ended, minus the signal's number if by one."""
        process = self._process
        if process is None or not _has_ended(process.pid):
            return None
        # What it started and left behind, before its id can be given to another process.
        _signal_group(process.pid, signal.SIGKILL)
        status = process.wait()
        self._process = None
        with suppress(OSError):
            self._pid_file.unlink(missing_ok=True)
        return status

    def back_off(self) -> None:
        """Set `restart_at`: soon after a first death, later with each one that follows closely."""
        steady = time.monotonic() - self._started_at > _STEADY_SECONDS
        self.deaths = 1 if steady else self.deaths + 1
        self.restart_at = time.monotonic() + self._rests.wait_after(self.deaths).total_seconds()

    def can_start(self) -> bool:
        """Whether there is what starts it; if it rests, it is called."""
        return self._launcher.prepare()

    @property
    def pid(self) -> int | None:
        """The id of the process, if there is one."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether there is a process, as far as was noticed."""
        return self._process is not None

    def terminate(self) -> None:
        """Ask the process to stop."""
        # Not by the Popen object: it would consume the exit status that `ended` reports.
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            _signal_group(self._process.pid, signal.SIGKILL)

    def _open_log(self) -> IO[bytes]:
        settings = LogFileSettings()
        try:
            if self.log.exists() and self.log.stat().st_size >= settings.log_bytes:
                rotate(self.log, settings.log_files)
            return self.log.open("ab")
        except OSError as error:
            log.warning("the log can't be opened", process=self.program.name, error=repr(error))
            # The process opens it itself as soon as it can (muster.observability.log_file).
            return open(os.devnull, "ab")  # noqa: PTH123 - no file of ours, closed by start

    def log_tail(self) -> str:
        """The last lines that the process wrote, if they can be read."""
        try:
            with self.log.open("rb") as file:
                file.seek(-min(self.log.stat().st_size, 65536), os.SEEK_END)
                lines = file.read().decode(errors="replace").splitlines()
        except OSError as error:
            return str(error)
        return "\n".join(lines[-TAIL_LINES:])


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(group: int, number: signal.Signals) -> None:
    # An ended process is no longer to be signalled, on some systems not permitted either.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
