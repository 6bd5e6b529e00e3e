"""A log file of bounded size, which its own writers rotate: what `make run` has for each process.

The supervisor could not: a process keeps writing to the file that it has open, whatever that is
called by now. So whoever finds the file full renames it, and opens a new one as standard error and
output. Nothing is copied and nothing cut off, so that no line is lost, and a kill at any point
leaves the lines where they are. A process that shares the file, as gunicorn's worker with its
arbiter, follows with its next line.
"""

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_OUTPUT, _ERRORS = 1, 2


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


class LogFile:
    """Standard error as a text stream, which is `path` and is renamed when it is full."""

    def __init__(self, path: Path, most_bytes: int, files: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._files = files
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Append the text, whole; without room for it on the disk it is passed over."""
        with self._lock, suppress(OSError):
            if os.fstat(_ERRORS).st_size >= self._most_bytes:
                self._open_another()
            data = text.encode(errors="backslashreplace")
            while data:
                data = data[os.write(_ERRORS, data) :]
        return len(text)

    def flush(self) -> None:
        """Nothing: each line is written at once."""

    def _open_another(self) -> None:
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_open_as(_ERRORS, self._path):
                rotate(self._path, self._files)
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
