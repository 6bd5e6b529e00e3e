"""Files that are there whole and durable, or not at all."""

import os
from contextlib import suppress
from pathlib import Path


class WholeFile:
    """Written under the name `part`, shown as `target` when finished; both on one file system.

    Every method raises OSError.
    """

    def __init__(self, part: Path, target: Path) -> None:
        self._part = part
        self._target = target
        self._file = part.open("xb")

    def write(self, data: bytes, /) -> int:
        """Append `data`; returns its length."""
        return self._file.write(data)

    def finish(self) -> None:
        """Show the file under its name, instead of one that is there; it survives a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._target)
        sync_directory(self._target.parent)

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        # Closing writes what is buffered, which is what may just have failed.
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Make the directory `path`, durably, where it is missing."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in the directory `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
