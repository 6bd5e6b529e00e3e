"""Files in GridFS: chunks first and the files document last, so that what is seen is whole.

It is written by the GridFS specification, which other tools read, and not by the driver's own
classes: they hold 32 MB of a file before they write and take 16 MB of it at once, and offer no way
to have less. https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md
"""

from contextlib import suppress

from bson import Int64, ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from muster.csvstore import FileNotStored, StoreUnavailable
from muster.csvstore.mongodb.connection import Connection, Document, next_number
from muster.uploads import now

_CHUNK_BYTES = 255 * 1024


class Writer:
    """A file being written; no more of it than a chunk and the last write is held in memory.

    Each version of a file has a number of its own. The one with the greatest is the file; those
    before it are removed when it is finished.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._id = ObjectId()
        self._buffer = bytearray()
        self._chunks = 0
        self._length = 0
        self._stored = False

    def write(self, data: bytes, /) -> int:
        """Append `data`; returns its length. Raises StoreUnavailable."""
        self._buffer += data
        while len(self._buffer) >= _CHUNK_BYTES:
            self._write_chunk()
        return len(data)

    def finish(self) -> None:
        """Show the file under its name. Raises StoreUnavailable."""
        if self._buffer:
            self._write_chunk()
        with self._connection.using() as database:
            version = next_number(database, "files")
            # A writer that rests for longer than the sweep waits may have lost its chunks to it.
            if database["csv.chunks"].count_documents({"files_id": self._id}) != self._chunks:
                raise StoreUnavailable(f"chunks of {self._name} are gone")
            database["csv.files"].insert_one(
                {
                    "_id": self._id,
                    "filename": self._name,
                    "length": Int64(self._length),
                    "chunkSize": _CHUNK_BYTES,
                    "uploadDate": now(),
                    "metadata": {"version": Int64(version)},
                }
            )
        self._stored = True
        # The file is there; versions that could not be removed are left to the sweep.
        with suppress(StoreUnavailable), self._connection.using() as database:
            _remove_superseded(database, self._name)

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        if self._stored:
            return
        # What broke the writer must be raised, not this; the sweep finds what is left.
        with suppress(StoreUnavailable), self._connection.using() as database:
            remove_version(database, self._id)

    def _write_chunk(self) -> None:
        chunk = bytes(self._buffer[:_CHUNK_BYTES])
        del self._buffer[:_CHUNK_BYTES]
        with self._connection.using() as database:
            database["csv.chunks"].insert_one(
                {"files_id": self._id, "n": self._chunks, "data": chunk}
            )
        self._chunks += 1
        self._length += len(chunk)


def find_file(database: Database[Document], name: str) -> Document:
    """The files document of the newest version. Raises FileNotStored."""
    found = database["csv.files"].find_one(
        {"filename": name}, sort=[("metadata.version", DESCENDING)]
    )
    if found is None:
        raise FileNotStored(name)
    return found


def delete_file(database: Database[Document], name: str) -> None:
    """Remove all versions of a file, the newest last, so that none before it comes to light."""
    versions = database["csv.files"].find({"filename": name}, {"_id": 1})
    for version in versions.sort("metadata.version", ASCENDING):
        remove_version(database, version["_id"])


def remove_version(database: Database[Document], file_id: ObjectId) -> None:
    """Remove one version; once its files document is gone nothing is seen of it."""
    database["csv.files"].delete_one({"_id": file_id})
    database["csv.chunks"].delete_many({"files_id": file_id})


def _remove_superseded(database: Database[Document], name: str) -> None:
    with suppress(FileNotStored):
        newest = find_file(database, name)["metadata"]["version"]
        older = {"filename": name, "metadata.version": {"$lt": newest}}
        for version in database["csv.files"].find(older, {"_id": 1}):
            remove_version(database, version["_id"])
