"""A named pipe: what one thread writes into it another gives away as a file, without a disk."""

import fcntl
import os
import threading
import uuid
from pathlib import Path

from dbuploader.scratch import weather_of_disk

_BYTES = 1024 * 1024
# Known on Linux only; elsewhere the system's 64 KiB have to do.
_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


class NobodyReads(Exception):
    """Who read the pipe has gone."""


class RowPipe:
    """A pipe of lines, at `path` in `directory` until nobody reads it any more.

    One thread opens, writes and closes. Another has the file read, and says that this is over. To
    make one may raise DiskUnavailable.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"{uuid.uuid4().hex}.tsv"
        self.lines = 0
        self.is_whole = False
        self._is_open = threading.Event()
        with weather_of_disk():
            # Keeps a place among the open files: whoever reads waits for the writer to open it.
            self._end = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.mkfifo(self.path, 0o600)
            except BaseException:
                os.close(self._end)
                raise

    def open(self) -> None:
        """Return when somebody has opened the file, or has gone."""
        os.close(self._end)
        self._end = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        self._is_open.set()
        if _SET_SIZE is not None:
            fcntl.fcntl(self._end, _SET_SIZE, _BYTES)

    def write(self, text: bytes) -> None:
        """Return when all of `text`, whole lines, is in the pipe. Raises NobodyReads."""
        self.lines += text.count(b"\n")
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[os.write(self._end, rest) :]
        except BrokenPipeError as error:
            raise NobodyReads from error

    def close(self, *, whole: bool = True) -> None:
        """Let the reader come to the end, of all lines or of what there is."""
        self.is_whole = whole
        os.close(self._end)

    def leave(self) -> None:
        """Say that nobody will read any more: who waits for that does so no longer."""
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_open.wait()
        os.close(reader)
        self.path.unlink()
