"""The file store port: uploaded files and rejected rows, by name. One adapter a module.

`folder` keeps them in a directory, `gridfs` in MongoDB, `s3` in a bucket. May import
muster.backends and below.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from muster.adapters import Adapter, load_adapter
from muster.backends.shared import Shared

ADAPTERS = {
    "file": Adapter("muster.filestore.folder", "FolderFileStore"),
    "mongodb": Adapter("muster.filestore.gridfs", "GridfsFileStore", extra="mongodb"),
    "s3": Adapter("muster.filestore.s3", "S3FileStore", extra="s3"),
}


class FileNotStored(Exception):
    """There is no such file in the store."""


class FileWriter(Protocol):
    """A file being written."""

    def write(self, data: bytes, /) -> int:
        """Append `data`; raises StoreUnavailable."""


class FileStore(Protocol):
    """Files by name; safe to share between threads and processes.

    Every call may raise StoreUnavailable.
    """

    def write(self, name: str) -> AbstractContextManager[FileWriter]:
        """Write the file `name`: whole and durable once the block ends without an exception.

        If the block raises, or the process dies in it, nothing of the file can be seen, and an
        earlier file of that name stays.
        """

    def open(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged.

        Reading raises StoreUnavailable, and FileDamaged once it is certain that what is missing
        was looked for in the store as it stands, and not in a copy that lags behind.
        """

    def delete(self, name: str) -> None:
        """Remove the file `name`, if it is there."""

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        """The names of files last written at least `older_than` seconds ago, in no set order.

        What dead writers left behind is among them, under names that no file can have and that
        `delete` takes. Memory does not grow with their number. With `newer_than`, only what was
        written at most so many seconds ago, and the work does not grow with the number of others,
        as far as the store allows; what was being written for that long may be left out.
        """

    def check(self) -> None:
        """Return if the store can be read and written."""

    def close(self) -> None:
        """Give up connections. The store can't be used afterwards."""


def open_file_store(url: str, shared: Shared | None = None) -> FileStore:
    """The file store at `url`; connects at first use. Raises ConfigurationError.

    One behind a network takes places and its connection from `shared`.
    """
    store: FileStore = load_adapter("file store", url, ADAPTERS)(url, shared or Shared())
    return store
