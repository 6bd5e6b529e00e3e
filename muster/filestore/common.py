"""What the adapters have in common: how a file is written as a whole, and read by blocks."""

import io
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from muster.filestore import FileWriter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class WholeWriter(FileWriter, Protocol):
    """A writer whose file is seen once it is finished."""

    def finish(self) -> None:
        """Show the file under its name. Raises StoreUnavailable."""

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""


Writer = TypeVar("Writer", bound=WholeWriter)


@contextmanager
def finished(writer: Writer) -> Iterator[Writer]:
    """Finish what the block writes, or abandon it where that raises."""
    try:
        yield writer
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


class BlockFile(io.RawIOBase):
    """A file of `_length` bytes, to be read from its start, of which a block is held at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._length = 0
        self._position = 0
        self._block = b""
        self._block_start = 0

    @abstractmethod
    def _fetch(self) -> None:
        """Have the block in which the position is."""

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
