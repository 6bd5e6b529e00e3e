"""Files that are there whole and durable, or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import IO


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


def replace_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Give the file `path` this content, for whom `mode` and the umask allow. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    # Left by a process that was killed. Nobody else writes this file.
    part.unlink(missing_ok=True)
    part.touch(mode)
    with part.open("wb") as file:
        _write_durably(file, content)
    part.rename(path)
    sync_directory(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Make the file `path` with mode 0600, or leave the one that is there. Raises OSError.

    Of several processes that do so at once, one makes it.
    """
    descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write_durably(file, content)
        with suppress(FileExistsError):
            path.hardlink_to(part)
            sync_directory(path.parent)
    finally:
        part.unlink()


def _write_durably(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


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
