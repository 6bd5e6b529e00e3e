"""Writing a file to GridFS: its chunks, then the files document, so that what is seen is whole."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from bson import Int64, ObjectId
from pymongo.database import Database

from muster.contracts.uploads import now
from muster.csvstore import StoreUnavailable
from muster.csvstore.mongodb.connection import Connection, Document
from muster.csvstore.mongodb.files import find_versions, remove_version

_CHUNK_BYTES = 255 * 1024
# Each write waits for the journal, so that many small ones take several times as long as few large
# ones. More than this gains little, and 64 uploads at once may hold so much twice.
_MOST_AT_ONCE = 16


class Writer:
    """A file being written, by one thread.

    Whole chunks are written by a thread of the writer's own while the next ones come: all that are
    there when it is done with those before. So a slow source's bytes are not held for long, and
    those of a fast one go in large batches, of which two are held in memory.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._id = ObjectId()
        self._buffer = bytearray()
        self._chunks = 0
        self._length = 0
        self._stored = False
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def write(self, data: bytes, /) -> int:
        """Append `data`; returns its length. Raises StoreUnavailable."""
        self._buffer += data
        self._length += len(data)
        while self._whole_chunks() and self._is_time():
            self._await_writing()
            self._write_behind(self._take(self._whole_chunks()))
        return len(data)

    def finish(self) -> None:
        """Show the file under its name. Raises StoreUnavailable."""
        self._await_writing()
        self._end_thread()
        came_slowly = self._chunks > 0
        while self._buffer:
            self._insert(self._take(self._whole_chunks() + 1))
        with self._connection.using() as database:
            if came_slowly:
                self._check_chunks(database)
            versions = find_versions(database, self._name)
            database["csv.files"].insert_one(
                self._document(1 + max(map(_number, versions), default=0))
            )
        self._stored = True
        # The file is there; versions that could not be removed are left to the sweep.
        with suppress(StoreUnavailable), self._connection.using() as database:
            for version in versions:
                remove_version(database, version["_id"])

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        with suppress(StoreUnavailable):
            self._await_writing()
        self._end_thread()
        if self._stored:
            return
        # What broke the writer must be raised, not this; the sweep finds what is left.
        with suppress(StoreUnavailable), self._connection.using() as database:
            remove_version(database, self._id)

    def _is_time(self) -> bool:
        idle = self._writing is None or self._writing.done()
        return idle or self._whole_chunks() >= _MOST_AT_ONCE

    def _whole_chunks(self) -> int:
        return len(self._buffer) // _CHUNK_BYTES

    def _take(self, count: int) -> list[Document]:
        """The next `count` chunks out of the buffer, or as many as are written at once."""
        size = min(count, _MOST_AT_ONCE) * _CHUNK_BYTES
        with memoryview(self._buffer) as held:
            parts = [
                bytes(held[start : start + _CHUNK_BYTES])
                for start in range(0, min(size, len(held)), _CHUNK_BYTES)
            ]
        del self._buffer[:size]
        first, self._chunks = self._chunks, self._chunks + len(parts)
        return [
            {"files_id": self._id, "n": number, "data": part}
            for number, part in enumerate(parts, first)
        ]

    def _write_behind(self, chunks: list[Document]) -> None:
        self._thread = self._thread or ThreadPoolExecutor(1, "gridfs")
        self._writing = self._thread.submit(self._insert, chunks)

    def _await_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _end_thread(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def _insert(self, chunks: list[Document]) -> None:
        with self._connection.using() as database:
            database["csv.chunks"].insert_many(chunks)

    def _check_chunks(self, database: Database[Document]) -> None:
        # A writer that rests for longer than the sweep waits may have lost its chunks to it.
        if database["csv.chunks"].count_documents({"files_id": self._id}) != self._chunks:
            raise StoreUnavailable(f"chunks of {self._name} are gone")

    def _document(self, version: int) -> Document:
        return {
            "_id": self._id,
            "filename": self._name,
            "length": Int64(self._length),
            "chunkSize": _CHUNK_BYTES,
            "uploadDate": now(),
            "metadata": {"version": Int64(version)},
        }


def _number(version: Document) -> int:
    # Files of other tools have none.
    return int((version.get("metadata") or {}).get("version", 0))
