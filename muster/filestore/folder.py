"""The file store in a directory: `file:///abs/dir`, files below `files/`."""

import errno
import io
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from muster.adapters import path_of
from muster.backends.atomic_file import WholeFile, make_directory
from muster.backends.shared import Shared
from muster.filestore import FileNotStored, FileWriter
from muster.filestore.common import finished
from muster.weather import FileDamaged, StoreUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

# What a file system says of blocks that it can't read, or that are not what they were.
_LOST = frozenset({errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)})
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]+")


# What a dead writer left; no upload's id has a dot.
_PART = re.compile(r"\.[A-Za-z0-9]+\.part")


class FolderFileStore:
    """Files in folders by the first two characters of their names; see FileStore for the rest.

    A file being written is a hidden `.part` beside them. A name that is not of letters, digits,
    dots, dashes and underscores, or begins with a dot, raises ValueError.
    """

    def __init__(self, url: str, _shared: Shared | None = None) -> None:
        self._files = path_of(url) / "files"

    @contextmanager
    def write(self, name: str) -> Iterator[FileWriter]:
        """Write the file `name`: whole and durable once the block ends without an exception."""
        with finished(_Writer(self._path_of(name))) as writer:
            yield writer

    def open(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged."""
        path = self._path_of(name)
        with _storing(), _present(name):
            if path.is_dir():
                raise FileDamaged(f"{name} is a directory")
            return io.BufferedReader(_StoredFile(path, self.check))

    def delete(self, name: str) -> None:
        """Remove the file `name`, or the `.part` that `names` called so, if it is there."""
        with _storing():
            if _PART.fullmatch(name):
                for path in self._files.glob(f"*/{name}"):
                    path.unlink(missing_ok=True)
            else:
                self._path_of(name).unlink(missing_ok=True)

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        """The names of files and parts last written at least `older_than` seconds ago.

        A file being written, or waiting for its record, is young. With `newer_than`, folders in
        which no file was made or finished since are passed over.
        """
        moment = time.time()
        latest, earliest = moment - older_than, moment - newer_than
        with _storing():
            for folder in _entries(self._files):
                if not folder.is_dir() or _written_at(folder) < earliest:
                    continue
                for entry in _entries(folder.path):
                    known = _NAME.fullmatch(entry.name) or _PART.fullmatch(entry.name)
                    if known and earliest <= _written_at(entry) <= latest:
                        yield entry.name

    def check(self) -> None:
        """Return if files can be read and written."""
        with _storing():
            make_directory(self._files)
            probe = self._files / f".{secrets.token_hex(8)}.probe"
            probe.touch()
            probe.unlink()

    def close(self) -> None:
        """Nothing is held."""

    def _path_of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't be the name of a stored file")
        return self._files / name[:2] / name


class _StoredFile(io.FileIO):
    """A file to read, which raises what the port says.

    A disk that has lost a part of it says so each time, and has room and answers for others.
    """

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        super().__init__(path)
        self._check = check

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the start of `buffer`; returns the number of bytes, 0 at the end of the file."""
        return self._twice(partial(super().readinto, buffer)) or 0

    def readall(self) -> bytes:
        """What is left."""
        return self._twice(super().readall) or b""

    def _twice(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except OSError as error:
            if error.errno not in _LOST:
                raise StoreUnavailable(str(error)) from error
        self._check()
        try:
            return read()
        except OSError as error:
            raise FileDamaged(f"{self.name}: {error}") from error


class _Writer:
    def __init__(self, target: Path) -> None:
        with _storing():
            make_directory(target.parent)
            self._file = WholeFile(target.parent / f".{secrets.token_hex(16)}.part", target)

    def write(self, data: bytes, /) -> int:
        with _storing():
            return self._file.write(data)

    def finish(self) -> None:
        with _storing():
            self._file.finish()

    def abandon(self) -> None:
        with _storing():
            self._file.abandon()


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """What is in the folder, one by one; nothing if it is not there."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def _written_at(entry: os.DirEntry[str]) -> float:
    """When it was last written, and for a folder when its list of files was; nan if it is gone."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return math.nan


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


@contextmanager
def _present(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotStored(name) from error
