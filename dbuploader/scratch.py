"""What the loader keeps on disk while it works: unnamed files in a private folder of the process.

A disk that is full, read-only or broken is weather, and so are too many open files: they raise
DiskUnavailable, and the load waits.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from muster.adapters import ConfigurationError
from muster.weather import DISK, DiskUnavailable

log = structlog.get_logger(__name__)

_PREFIX = "muster-scratch-"


class Scratch:
    """A private folder below `root`, this process's own until the block ends.

    The process holds a lock on it, which the kernel frees however the process ends. By that the
    next one recognises the folders of killed processes, and removes them. Raises
    DiskUnavailable, and ConfigurationError if no folder can be made.
    """

    def __init__(self, root: Path) -> None:
        try:
            with weather_of_disk():
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                _remove_abandoned(root)
                self.path, self._lock = _make_folder(root)
        except OSError as error:
            raise ConfigurationError(
                f"{root} can't be written ({error.strerror}): set MUSTER_SCRATCH_DIR to another "
                "directory."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; raises nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def new_file(self) -> FileIO:
        """An unnamed file: nothing is left of it once it is closed or the process dies.

        Raises DiskUnavailable.
        """
        with weather_of_disk():
            # Something may have tidied up.
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=self.path, buffering=0)


class ScratchFile:
    """Bytes that are appended, and read again from any offset. Calls may raise DiskUnavailable.

    It takes no room before the first byte or after `clear`.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._file: FileIO | None = None
        self.size = 0

    def append(self, data: bytes | bytearray | memoryview) -> int:
        """Add `data` at the end, whole or not at all; returns where it begins."""
        if self._file is None:
            self._file = self._scratch.new_file()
        begin, rest = self.size, memoryview(data)
        with weather_of_disk():
            while rest:
                rest = rest[os.pwrite(self._file.fileno(), rest, begin + len(data) - len(rest)) :]
        self.size += len(data)
        return begin

    def read(self, size: int, begin: int) -> bytes:
        """The bytes from `begin` on, at most `size`."""
        if self._file is None:
            return b""
        with weather_of_disk():
            return os.pread(self._file.fileno(), min(size, self.size - begin), begin)

    def clear(self) -> None:
        """Forget all bytes, and give back their room; raises nothing."""
        file, self._file, self.size = self._file, None, 0
        if file is not None:
            # What could not be written is not missed.
            with suppress(OSError):
                file.close()


@contextmanager
def weather_of_disk() -> Iterator[None]:
    """What the disk refuses in the block, or the system for want of room, is DiskUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK:
            raise DiskUnavailable(str(error)) from error
        raise


def _make_folder(root: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        lock = _lock(path)
        # Another process may just have taken it for abandoned, and be removing it.
        if lock is not None:
            return path, lock


def _remove_abandoned(root: Path) -> None:
    for path in root.glob(f"{_PREFIX}*"):
        # Where it can't be removed it only takes room.
        with suppress(OSError):
            lock = _lock(path)
            if lock is None:
                continue
            try:
                shutil.rmtree(path)
                log.info("scratch of a process that was killed is removed", path=str(path))
            finally:
                os.close(lock)


def _lock(path: Path) -> int | None:
    """The lock on the folder, which is ours and is there; None if somebody else has it."""
    with ExitStack() as opened:
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            opened.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found, there = os.fstat(folder), path.stat()
        except (BlockingIOError, FileNotFoundError):
            return None
        # Below a directory that others may write to, it may be somebody else's.
        if found.st_uid != os.geteuid() or not os.path.samestat(found, there):
            return None
        opened.pop_all()
        return folder
