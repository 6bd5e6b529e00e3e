"""Running the process that parses a workbook (`child.py`), and what its end means."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import structlog

from dbuploader.csvfile.model import FileError
from muster.weather import DiskUnavailable

log = structlog.get_logger(__name__)

_AT_ONCE = BoundedSemaphore(2)
_TICK_SECONDS = 0.1
_BLOCK = 64 * 1024
_LONGEST_ANSWER = 64 * 1024 * 1024
# Its limits end it so; and the kernel, where memory is short.
_OF_ITS_LIMITS = frozenset({signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU})
TOO_LARGE = (
    "workbook-too-large",
    "Reading the workbook takes more memory or time than it may. Save its sheet as CSV, and send "
    "that.",
)
_DAMAGED = (
    "workbook-damaged",
    "The workbook ends the program that reads it. Open it in a spreadsheet, save it again or save "
    "its sheet as CSV, and send that.",
)


class Workspace(NamedTuple):
    """What reading a workbook takes: room on the disk, bytes unpacked, and a caller that waits.

    `tick` is called again and again meanwhile; what it raises ends the reading.
    """

    new_file: Callable[[], FileIO]
    most_bytes: int
    tick: Callable[[], None]


@contextmanager
def parsing(file: FileIO, workspace: Workspace) -> Iterator["WorkbookProcess"]:
    """A process that parses the workbook in `file`, to be killed at the end of the block.

    Two run at once at most.
    """
    while not _AT_ONCE.acquire(timeout=_TICK_SECONDS):
        workspace.tick()
    try:
        process = WorkbookProcess(file, workspace)
        try:
            yield process
        finally:
            process.close()
    finally:
        _AT_ONCE.release()


class WorkbookProcess:
    """The process, to be asked and then read. Its calls raise FileError if it fails.

    Raises DiskUnavailable, and OSError of a disk's kind, where the system has no room for it.
    """

    def __init__(self, file: FileIO, workspace: Workspace) -> None:
        self._tick = workspace.tick
        command = [sys.executable, "-I", "-m", "dbuploader.workbooks.child"]
        try:
            self._process = subprocess.Popen(
                [*command, str(file.fileno()), str(workspace.most_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={},
                pass_fds=(file.fileno(),),
                # A signal to the terminal's processes is for the loader, which ends it in time.
                start_new_session=True,
            )
        except BlockingIOError as error:
            raise DiskUnavailable(f"no room for a further process: {error}") from error
        assert self._process.stdout is not None  # noqa: S101
        self._output = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._ahead = b""

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to the command."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(f"{command}\n".encode())
        except BrokenPipeError:
            self._check_end()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer, or the first, which comes unasked."""
        line = b""
        while not (end := line.find(b"\n") + 1):
            if len(line) > _LONGEST_ANSWER:
                raise FileError(*TOO_LARGE)
            piece = self._read_some()
            if not piece:
                raise FileError(*_DAMAGED)
            line += piece
        self._ahead = line[end:]
        fields: dict[str, Any] = json.loads(line[:end])
        if "error" in fields:
            raise FileError(fields["error"], fields["detail"])
        return fields

    def read(self, size: int) -> bytes:
        """The next bytes after the answers: `size`, or fewer at the end."""
        data = bytearray(self._ahead[:size])
        self._ahead = self._ahead[size:]
        while len(data) < size and (piece := self._read_some(size - len(data))):
            data += piece
        return bytes(data)

    def close(self) -> None:
        """End it, whatever it does; raises nothing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read_some(self, most: int = _BLOCK) -> bytes:
        """Some bytes, or none at the end of a process that has ended well."""
        while not self._poll.poll(1000 * _TICK_SECONDS):
            self._tick()
        data = os.read(self._output, min(most, _BLOCK))
        if not data:
            self._check_end()
        return data

    def _check_end(self) -> None:
        """Return if it has ended well."""
        status = self._process.wait()
        if not status:
            return
        log.warning("the process that reads a workbook has failed", status=status)
        raise FileError(*(TOO_LARGE if -status in _OF_ITS_LIMITS else _DAMAGED))
