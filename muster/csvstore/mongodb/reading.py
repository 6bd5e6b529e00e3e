"""Reading a file of GridFS, a few chunks at a time."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from muster.csvstore import FileDamaged, FileNotStored, StoreUnavailable
from muster.csvstore.mongodb import files
from muster.csvstore.mongodb.connection import Connection, Document

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNKS_AT_ONCE = 4


class StoredFile(io.RawIOBase):
    """The file that a files document describes, from its start.

    Made and read, it raises FileDamaged where chunks are missing or of another length than they
    must be, and StoreUnavailable, also when the file is removed or replaced meanwhile: opened
    again, it is as it stands then.
    """

    def __init__(self, connection: Connection, document: Document) -> None:
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
        self._position = 0
        self._block = b""
        self._block_start = 0
        self._look_over()

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether reading may go on elsewhere: yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on reading at `offset`, counted as `io.SEEK_SET`, `SEEK_CUR` or `SEEK_END` say."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError("a file has nothing before its start")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the start of `buffer`; returns the number of bytes, 0 at the end of the file."""
        if self._position >= self._length:
            return 0
        offset = self._position - self._block_start
        if not 0 <= offset < len(self._block):
            self._fetch()
            offset = self._position - self._block_start
        target = memoryview(buffer).cast("B")
        part = self._block[offset : offset + len(target)]
        target[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _look_over(self) -> None:
        """See at once what can be seen without reading it all: who reads it is told before."""
        if self._chunks <= _CHUNKS_AT_ONCE:
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
        wanted = {"files_id": self._id, "n": {"$gte": first, "$lt": first + _CHUNKS_AT_ONCE}}
        with self._connection.using() as database:
            return list(database["csv.chunks"].find(wanted).sort("n", 1))

    def _are_whole(self, chunks: Sequence[dict[str, Any]], first: int) -> bool:
        lengths = [
            (number, min(self._chunk_bytes, self._length - number * self._chunk_bytes))
            for number in range(first, min(first + _CHUNKS_AT_ONCE, self._chunks))
        ]
        return [(chunk["n"], _length_of(chunk.get("data"))) for chunk in chunks] == lengths

    def _ensure_current(self) -> None:
        """Return if the file is still this one, in the store as it stands now."""
        self._connection.ensure_current()
        try:
            with self._connection.using() as database:
                newest = files.find_file(database, self._name)
        except FileNotStored as error:
            raise StoreUnavailable(f"{self._name} was removed meanwhile") from error
        if newest["_id"] != self._id:
            raise StoreUnavailable(f"{self._name} was replaced meanwhile")


def _length_of(data: object) -> int | None:
    return len(data) if isinstance(data, bytes) else None
