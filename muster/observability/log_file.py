"""Standard error as what logs are written to, and the file of bounded size that it may be.

No log is worth a request: a line that can't be written, because the disk is full or nobody reads
the pipe, is dropped and counted, and the code that logs it never notices.

Under `make run` standard error is a file that its own writers rotate. The supervisor could not: a
process keeps writing to the file that it has open, whatever that is called by now. Therefore the
writer that finds the file full renames it, and opens a new one as standard error and output.
Nothing is copied and nothing cut off, so that no line is lost, and a kill at any point leaves the
lines where they are. A process that shares the file, as gunicorn's worker with its arbiter, follows
with its next line.
"""

import errno
import fcntl
import os
import select
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

from prometheus_client import Counter
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_OUTPUT, _ERRORS = 1, 2
# A reader of the pipe may block writers for this long, and not again until it reads.
_LONGEST_WAIT = 1.0
_REOPEN_SECONDS = 1.0

DROPPED = Counter("muster_log_lines_dropped_total", "Log lines that could not be written.")


class LogFileSettings(BaseSettings):
    """Where a process logs to, if not to the standard error that it was given."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_", extra="ignore", env_ignore_empty=True)

    log_file: Path | None = Field(
        default=None, description="The file that standard error is; set by make run."
    )
    log_bytes: int = Field(
        default=16 * 1024**2, ge=1024, description="The size at which a log file is renamed."
    )
    log_files: int = Field(
        default=4, ge=2, description="How many files a process's log has, the oldest ones removed."
    )


class LogStream:
    """Standard error as a text stream of lines, none of which raises anything or waits for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patience = _LONGEST_WAIT
        self._is_cut = False

    def write(self, text: str) -> int:
        """Write the line, whole; or drop it."""
        with self._lock:
            try:
                is_file = self._prepare()
                self._put(text.encode(errors="backslashreplace"), is_file)
            except OSError:
                DROPPED.inc()
        return len(text)

    def flush(self) -> None:
        """Nothing: each line is written at once."""

    def _prepare(self) -> bool:
        """Whether it is a file, which alone is certain never to block."""
        return stat.S_ISREG(os.fstat(_ERRORS).st_mode)

    def _put(self, line: bytes, is_file: bool) -> None:
        rest = whole = b"\n" + line if self._is_cut else line
        try:
            while rest:
                if not is_file:
                    self._await_reader()
                rest = rest[os.write(_ERRORS, rest if is_file else rest[: select.PIPE_BUF]) :]
        except OSError:
            self._is_cut = self._is_cut or len(rest) < len(whole)
            raise
        self._is_cut = False

    def _await_reader(self) -> None:
        poll = select.poll()
        poll.register(_ERRORS, select.POLLOUT)
        if not poll.poll(self._patience * 1000):
            self._patience = 0.0
            raise BlockingIOError(errno.EAGAIN, "nobody reads the log")
        self._patience = _LONGEST_WAIT


class LogFile(LogStream):
    """As LogStream, of a standard error which is `path` and is renamed when it is full."""

    def __init__(self, path: Path, most_bytes: int, files: int) -> None:
        super().__init__()
        self._path = path
        self._most_bytes = most_bytes
        self._files = files
        self._reopened_at = -_REOPEN_SECONDS

    def _prepare(self) -> bool:
        status = os.fstat(_ERRORS)
        if not stat.S_ISREG(status.st_mode):
            self._open_now_and_then()
            return super()._prepare()
        if status.st_size >= self._most_bytes:
            try:
                self._rotate()
            except OSError:
                # Better too long a file than a lost line, up to a bound.
                if status.st_size >= 2 * self._most_bytes:
                    raise
        return True

    def _open_now_and_then(self) -> None:
        """Open the file, which could not be opened when the process started."""
        now = time.monotonic()
        if now - self._reopened_at >= _REOPEN_SECONDS:
            self._reopened_at = now
            self._open()

    def _rotate(self) -> None:
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_open_as(_ERRORS, self._path):
                rotate(self._path, self._files)
            self._open()

    def _open(self) -> None:
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with suppress(OSError):
            if os.path.sameopenfile(_OUTPUT, _ERRORS):
                os.dup2(opened, _OUTPUT)
        os.dup2(opened, _ERRORS)
        os.close(opened)


def rotate(path: Path, files: int) -> None:
    """Rename `path` to end in `.1`, and each of those that do to the next, up to `files` in all."""
    for number in range(files - 1, 0, -1):
        older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        with suppress(FileNotFoundError):
            older.replace(path.with_name(f"{path.name}.{number}"))


def _is_open_as(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False
