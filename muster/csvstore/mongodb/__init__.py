"""The CSV store in MongoDB: `mongodb://host:port/database`, files in GridFS.

The URL's options are pymongo's (https://www.mongodb.com/docs/manual/reference/connection-string/).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO

from muster.contracts.uploads import now
from muster.csvstore import FileNotStored, FileWriter
from muster.csvstore.mongodb import files, sweeping
from muster.csvstore.mongodb.claims import Claims
from muster.csvstore.mongodb.connection import Connection, Document
from muster.csvstore.mongodb.reading import StoredFile
from muster.csvstore.mongodb.records import Records
from muster.csvstore.mongodb.writing import Writer


class MongoCsvStore(Records):
    """Records in `uploads`, keys in `claims`, files in the GridFS bucket `csv`."""

    def __init__(self, url: str, places: int | None = None) -> None:
        super().__init__(Connection(url, places))
        self._claims = Claims(self._connection, self.find_by_key)

    @contextmanager
    def write_file(self, name: str) -> Iterator[FileWriter]:
        """Write the file `name`: it is there, whole and durable, once the block ends well."""
        writer = Writer(self._connection, name)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.abandon()
            raise

    def open_file(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged."""
        try:
            document = self._find_file(name)
        except FileNotStored:
            self._connection.ensure_current()
            document = self._find_file(name)
        return io.BufferedReader(StoredFile(self._connection, document))

    def file_size(self, name: str) -> int:
        """The bytes of file `name`. Raises FileNotStored."""
        return int(self._find_file(name)["length"])

    def _find_file(self, name: str) -> Document:
        with self._connection.using() as database:
            return files.find_file(database, name)

    def delete_file(self, name: str) -> None:
        """Remove the file `name`, if it is there."""
        with self._connection.using() as database:
            files.delete_file(database, name)

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the idempotency key for a call in flight; raises KeyTaken."""
        self._claims.claim(owner, key, seconds)

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""
        self._claims.renew(owner, key, seconds)

    def release_key(self, owner: str, key: str) -> None:
        """End the claim; an upload accepted with the key keeps it."""
        self._claims.release(owner, key)

    def sweep(self, older_than: float) -> int:
        """Remove files that no record names and that were last written `older_than` seconds ago.

        Returns how many, replaced versions of a file and the remains of killed writers included.
        """
        limit = now() - timedelta(seconds=older_than)
        with self._connection.using() as database:
            removed = sweeping.sweep_files(database, limit, self.unnamed)
            return removed + sweeping.sweep_parts(database, limit)

    def check(self) -> None:
        """Return if the store can be read and written."""
        # A write, and one that is due: it needs a primary and waits for the majority.
        self._claims.remove_expired()

    def close(self) -> None:
        """Give up the connections."""
        self._connection.close()
