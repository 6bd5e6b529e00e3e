"""Files and upload records behind one door, until every call site opens the two stores itself."""

from contextlib import AbstractContextManager
from itertools import islice
from typing import BinaryIO, Protocol, cast

from muster.backends.servers import StoreRefused as StoreRefused
from muster.filestore import FileNotStored as FileNotStored
from muster.filestore import FileStore
from muster.filestore import FileWriter as FileWriter
from muster.filestore.folder import FolderFileStore
from muster.stores import Stores, open_stores
from muster.uploadstore import Backlog as Backlog
from muster.uploadstore import KeyTaken as KeyTaken
from muster.uploadstore import SetAside as SetAside
from muster.uploadstore import StateConflict as StateConflict
from muster.uploadstore import UploadNotFound as UploadNotFound
from muster.uploadstore import UploadStore
from muster.uploadstore.sqlite import SqliteUploadStore
from muster.weather import FileDamaged as FileDamaged
from muster.weather import StoreUnavailable as StoreUnavailable


class CsvStore(UploadStore, Protocol):
    """Both stores."""

    def write_file(self, name: str) -> AbstractContextManager[FileWriter]:
        """FileStore.write."""

    def open_file(self, name: str) -> BinaryIO:
        """FileStore.open."""

    def file_size(self, name: str) -> int:
        """FileStore.size."""

    def delete_file(self, name: str) -> None:
        """FileStore.delete."""

    def sweep(self, older_than: float) -> int:
        """Remove files, whole or partial, of that age that no record names; returns how many."""


class Both:
    """The door."""

    def __init__(self, stores: Stores) -> None:
        self.files, self.uploads = stores.files, stores.uploads
        self.close = stores.close
        self.write_file, self.open_file = stores.files.write, stores.files.open
        self.file_size, self.delete_file = stores.files.size, stores.files.delete
        self._stores = stores

    def check(self) -> None:
        """Return if both can be read and written."""
        self._stores.check()

    def sweep(self, older_than: float) -> int:
        """Remove files, whole or partial, of that age that no record names; returns how many."""
        return _sweep(self.files, self.uploads, older_than)

    def __getattr__(self, name: str) -> object:
        return getattr(self.__dict__["uploads"], name)


def _sweep(files: FileStore, uploads: UploadStore, older_than: float) -> int:
    names, removed = files.names(older_than), 0
    while batch := list(islice(names, 1000)):
        unnamed = uploads.unnamed(batch)
        for name in unnamed:
            files.delete(name)
        removed += len(unnamed)
    return removed


def open_csv_store(url: str, places: int | None = None) -> CsvStore:
    """Both stores at `url`."""
    return cast(CsvStore, Both(open_stores(url, places=places)))


class FileCsvStore(SqliteUploadStore):
    """Both stores in a directory."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.files = FolderFileStore(url)
        self.write_file, self.open_file = self.files.write, self.files.open
        self.file_size, self.delete_file = self.files.size, self.files.delete

    def sweep(self, older_than: float) -> int:
        """Remove files, whole or partial, of that age that no record names; returns how many."""
        return _sweep(self.files, self, older_than)
