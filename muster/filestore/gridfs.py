"""The file store in MongoDB: `mongodb://host:port/database`, in the GridFS bucket `csv`.

A file is a document in `csv.files` and chunks in `csv.chunks`; the chunks are written first, so
that what is seen is whole. A name has versions, of which the newest is the file. All by the GridFS
specification, which other tools know, and not by the driver's own classes: they hold 32 MB of a
file before they write and take 16 MB of it at once, and offer no way to have less.
https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md
"""

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from bson import Int64, ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from muster.backends.mongodb import Document, MongoConnection, connection_to
from muster.backends.shared import Shared
from muster.contracts.uploads import now
from muster.filestore import FileNotStored, FileWriter
from muster.filestore.common import BlockFile, finished
from muster.weather import FileDamaged, StoreUnavailable

if TYPE_CHECKING:
    pass

T = TypeVar("T")

_CHUNK_BYTES = 255 * 1024
# Each write waits for the journal, so that many small ones take several times as long as few large
# ones. More than this gains little, and 64 uploads at once may hold so much twice.
_MAX_CHUNKS_WRITTEN = 16
_CHUNKS_READ = 4
# As many files are looked at by one query.
_BATCH = 1000

# The order of a file's versions. Two that were finished at once may have the same number.
_NEWEST_FIRST = [("metadata.version", DESCENDING), ("_id", DESCENDING)]
_OLDEST_FIRST = [("metadata.version", ASCENDING), ("_id", ASCENDING)]
_VERSION = {"filename": 1, "metadata.version": 1}
_BEGINNING = datetime.fromtimestamp(0, UTC)
# What a dead writer left, by the id that its file would have had; no upload's id has a dot.
_REMAINS = re.compile(r"\.([0-9a-f]{24})\.part")


class GridfsFileStore:
    """Files in GridFS; see FileStore for what is promised."""

    def __init__(self, url: str, shared: Shared) -> None:
        self.connection = connection_to(url, shared, "file store")
        self.connection.prepare_by(_make_indexes)

    @contextmanager
    def write(self, name: str) -> Iterator[FileWriter]:
        """Write the file `name`: whole and durable once the block ends without an exception."""
        with finished(_Writer(self.connection, name)) as writer:
            yield writer

    def open(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged."""
        try:
            document = self._find(name)
        except FileNotStored:
            self.connection.ensure_current()
            document = self._find(name)
        return io.BufferedReader(_StoredFile(self.connection, document))

    def delete(self, name: str) -> None:
        """Remove the file `name`, or what `names` called so, if it is there."""
        remains = _REMAINS.fullmatch(name)
        with self.connection.using() as database:
            if remains is not None:
                _remove_remains(database, ObjectId(remains[1]))
                return
            # The newest last, so that no version before it comes to light.
            versions = database["csv.files"].find({"filename": name}, {"_id": 1})
            for version in versions.sort(_OLDEST_FIRST):
                _remove_version(database, version["_id"])

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        """The names of files last written at least `older_than` seconds ago.

        And, as `.ID.part`, of versions that were replaced and of what dead writers left.
        """
        latest = now() - timedelta(seconds=older_than)
        earliest = _BEGINNING if math.isinf(newer_than) else now() - timedelta(seconds=newer_than)
        for find in (_find_files, _find_remains):
            with self.connection.using() as database:
                found = find(database, earliest, latest)
            while batch := self._take(found):
                yield from batch

    def check(self) -> None:
        """Return if files can be read and written."""
        self.connection.check()

    def close(self) -> None:
        """Give up the connections."""
        self.connection.close()

    def _take(self, found: Iterator[str]) -> list[str]:
        """The next of those found; between two batches the caller may use the store."""
        with self.connection.using():
            return list(islice(found, _BATCH))

    def _find(self, name: str) -> Document:
        with self.connection.using() as database:
            return _find_newest(database, name)


class _Writer:
    """A file being written, by one thread.

    Whole chunks are written by a thread of the writer's own while the next ones come: all that are
    there when it is done with those before. A slow source's bytes are not held for long, then, and
    those of a fast one go in large batches, of which two are held in memory.
    """

    def __init__(self, connection: MongoConnection, name: str) -> None:
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
            versions = list(database["csv.files"].find({"filename": self._name}, {"metadata": 1}))
            database["csv.files"].insert_one(
                self._document(1 + max(map(_number, versions), default=0))
            )
        self._stored = True
        # The file is there; versions that could not be removed are left to the sweep.
        with suppress(StoreUnavailable), self._connection.using() as database:
            for version in versions:
                _remove_version(database, version["_id"])

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        with suppress(StoreUnavailable):
            self._await_writing()
        self._end_thread()
        if self._stored:
            return
        # What broke the writer must be raised, not this; the sweep finds what is left.
        with suppress(StoreUnavailable), self._connection.using() as database:
            _remove_version(database, self._id)

    def _is_time(self) -> bool:
        idle = self._writing is None or self._writing.done()
        return idle or self._whole_chunks() >= _MAX_CHUNKS_WRITTEN

    def _whole_chunks(self) -> int:
        return len(self._buffer) // _CHUNK_BYTES

    def _take(self, count: int) -> list[Document]:
        """The next `count` chunks out of the buffer, or as many as are written at once."""
        size = min(count, _MAX_CHUNKS_WRITTEN) * _CHUNK_BYTES
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


class _StoredFile(BlockFile):
    """The file that a files document describes, from its start.

    Made and read, it raises FileDamaged where chunks are missing or of another length than they
    must be, and StoreUnavailable, also when the file is removed or replaced meanwhile: opened
    again, it is as it stands then.
    """

    def __init__(self, connection: MongoConnection, document: Document) -> None:
        super().__init__()
        self._connection = connection
        self._id = document["_id"]
        self._name = document["filename"]
        try:
            self._length = int(document["length"])
            self._chunk_bytes = int(document["chunkSize"])
            self._chunks = -(-self._length // self._chunk_bytes)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise FileDamaged(f"{self._name}: {error!r}") from error
        self._look_over()

    def _look_over(self) -> None:
        """Check what can be checked without reading it all, so that a reader knows before."""
        if self._chunks <= _CHUNKS_READ:
            self._fetch()
        elif self._count_chunks() != self._chunks:
            self._ensure_current()
            if (found := self._count_chunks()) != self._chunks:
                raise FileDamaged(f"{self._name}: {found} of {self._chunks} chunks are there")

    def _count_chunks(self) -> int:
        with self._connection.using() as database:
            return database["csv.chunks"].count_documents({"files_id": self._id})

    def _fetch(self) -> None:
        first = self._position // self._chunk_bytes
        chunks = self._find_chunks(first)
        if not self._are_whole(chunks, first):
            self._ensure_current()
            chunks = self._find_chunks(first)
            if not self._are_whole(chunks, first):
                raise FileDamaged(f"{self._name}: of its chunks from {first} on some are damaged")
        self._block = b"".join(chunk["data"] for chunk in chunks)
        self._block_start = first * self._chunk_bytes

    def _find_chunks(self, first: int) -> Sequence[dict[str, Any]]:
        wanted = {"files_id": self._id, "n": {"$gte": first, "$lt": first + _CHUNKS_READ}}
        with self._connection.using() as database:
            return list(database["csv.chunks"].find(wanted).sort("n", 1))

    def _are_whole(self, chunks: Sequence[dict[str, Any]], first: int) -> bool:
        lengths = [
            (number, min(self._chunk_bytes, self._length - number * self._chunk_bytes))
            for number in range(first, min(first + _CHUNKS_READ, self._chunks))
        ]
        return [(chunk["n"], _length_of(chunk.get("data"))) for chunk in chunks] == lengths

    def _ensure_current(self) -> None:
        """Return if the file is still this one, in the store as it stands now."""
        self._connection.ensure_current()
        try:
            with self._connection.using() as database:
                newest = _find_newest(database, self._name)
        except FileNotStored as error:
            raise StoreUnavailable(f"{self._name} was removed meanwhile") from error
        if newest["_id"] != self._id:
            raise StoreUnavailable(f"{self._name} was replaced meanwhile")


def _length_of(data: object) -> int | None:
    return len(data) if isinstance(data, bytes) else None


def _make_indexes(database: Database[Document]) -> None:
    database["csv.files"].create_indexes(
        [
            IndexModel([("filename", ASCENDING), ("metadata.version", DESCENDING)]),
            IndexModel([("uploadDate", ASCENDING)]),
        ]
    )
    database["csv.chunks"].create_indexes(
        [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)]
    )


def _find_newest(database: Database[Document], name: str) -> Document:
    """The files document of the newest version. Raises FileNotStored."""
    found = database["csv.files"].find_one({"filename": name}, sort=_NEWEST_FIRST)
    if found is None:
        raise FileNotStored(name)
    return found


def _remove_version(database: Database[Document], file_id: ObjectId) -> None:
    """Remove one version; once its files document is gone nothing is seen of it."""
    database["csv.files"].delete_one({"_id": file_id})
    database["csv.chunks"].delete_many({"files_id": file_id})


def _remove_remains(database: Database[Document], file_id: ObjectId) -> None:
    """Remove what is left of a version, unless it has become the file meanwhile."""
    version = database["csv.files"].find_one({"_id": file_id}, {"filename": 1})
    if version is not None:
        of_name = {"filename": version["filename"]}
        newest = database["csv.files"].find_one(of_name, {"_id": 1}, sort=_NEWEST_FIRST)
        if newest is not None and newest["_id"] == file_id:
            return
    _remove_version(database, file_id)


def _find_files(
    database: Database[Document], earliest: datetime, latest: datetime
) -> Iterator[str]:
    """Files whose newest version was finished in that time, and versions that were replaced."""
    finished = {"uploadDate": {"$gte": earliest, "$lte": latest}}
    found = database["csv.files"].find(finished, {"filename": 1}, batch_size=_BATCH)
    for batch in _batches(found):
        newest = _newest_versions(database, {file["filename"] for file in batch})
        for file in batch:
            is_newest = file["_id"] == newest.get(file["filename"])
            yield file["filename"] if is_newest else _name_of_remains(file["_id"])


def _newest_versions(database: Database[Document], names: set[str]) -> dict[str, ObjectId]:
    """The id of each file's newest version, as `_find_newest` would find it."""
    versions = database["csv.files"].find({"filename": {"$in": [*names]}}, _VERSION)
    return {file["filename"]: file["_id"] for file in sorted(versions, key=_age_of_version)}


def _age_of_version(version: Document) -> tuple[int, str]:
    # As the server sorts them: what has no number comes before all that have.
    number = (version.get("metadata") or {}).get("version")
    return -1 if number is None else int(number), str(version["_id"])


def _find_remains(
    database: Database[Document], earliest: datetime, latest: datetime
) -> Iterator[str]:
    """Chunks without a files document, if the last of them was written in that time."""
    for batch in _batches(_files_of_chunks(database, earliest, latest)):
        file_ids = {*batch}
        whole = database["csv.files"].find({"_id": {"$in": list(file_ids)}}, {"_id": 1})
        for file_id in file_ids - {file["_id"] for file in whole}:
            if _was_written_before(database, file_id, latest):
                yield _name_of_remains(file_id)


def _files_of_chunks(
    database: Database[Document], earliest: datetime, latest: datetime
) -> Iterator[ObjectId]:
    """The ids of files that have chunks written in that time, each of many chunks once."""
    if earliest == _BEGINNING:
        # Sorted and grouped by the index's first field, the server steps from file to file in it.
        by_file: list[Document] = [{"$sort": {"files_id": 1}}, {"$group": {"_id": "$files_id"}}]
        groups = database["csv.chunks"].aggregate(by_file, batchSize=_BATCH)
        return (group["_id"] for group in groups)
    # A chunk's id says when it was made, to the second.
    written = {
        "$gte": ObjectId.from_datetime(earliest),
        "$lt": ObjectId.from_datetime(latest + timedelta(seconds=1)),
    }
    chunks = database["csv.chunks"].find({"_id": written}, {"files_id": 1}, batch_size=_BATCH)
    return (file_id for file_id, _ in groupby(chunk["files_id"] for chunk in chunks))


def _name_of_remains(file_id: ObjectId) -> str:
    return f".{file_id}.part"


def _was_written_before(database: Database[Document], file_id: ObjectId, limit: datetime) -> bool:
    """Whether the file has chunks and the last was made before `limit`, as its ObjectId says."""
    last = database["csv.chunks"].find_one(
        {"files_id": file_id}, {"_id": 1}, sort=[("n", DESCENDING)]
    )
    if last is None:
        return False
    written: datetime = last["_id"].generation_time
    return written <= limit


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
