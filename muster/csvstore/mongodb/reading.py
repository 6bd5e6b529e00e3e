"""Reading a file of GridFS, a few chunks at a time."""

import io
from typing import TYPE_CHECKING, Any

from muster.csvstore import StoreUnavailable
from muster.csvstore.mongodb.connection import Connection, Document

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNKS_AT_ONCE = 4


class StoredFile(io.RawIOBase):
    """The file that a files document describes, from its start.

    Reading raises StoreUnavailable, also when the file is removed or replaced meanwhile: opened
    again, it is as it stands then.
    """

    def __init__(self, connection: Connection, document: Document) -> None:
        super().__init__()
        self._connection = connection
        self._id = document["_id"]
        self._name = document["filename"]
        self._length = int(document["length"])
        self._chunk_bytes = int(document["chunkSize"])
        self._position = 0
        self._block = b""
        self._block_start = 0

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

    def _fetch(self) -> None:
        first = self._position // self._chunk_bytes
        wanted = {"files_id": self._id, "n": {"$gte": first, "$lt": first + _CHUNKS_AT_ONCE}}
        with self._connection.using() as database:
            chunks: list[dict[str, Any]] = list(database["csv.chunks"].find(wanted).sort("n", 1))
        block = b"".join(chunk["data"] for chunk in chunks)
        start = first * self._chunk_bytes
        if len(block) != min(_CHUNKS_AT_ONCE * self._chunk_bytes, self._length - start):
            raise StoreUnavailable(f"chunks of {self._name} are gone")
        self._block, self._block_start = block, start
