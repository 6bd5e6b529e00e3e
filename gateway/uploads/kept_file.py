"""Where the file of an upload is kept: with its record if it is small, else in the file store.

A small file costs a record no time, and costs the file store several waits for a disk.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from muster.filestore import FileStore, FileWriter

MOST_IN_RECORD = 16 * 1024
"""The largest file, in bytes, that is kept with its record."""


class KeptFile:
    """A file as it comes. In the end `content` is the whole of one to be kept with its record."""

    def __init__(self, begin: Callable[[], FileWriter], most: int) -> None:
        self._begin = begin
        self._most = most
        self._writer: FileWriter | None = None
        self.content: bytes | None = b""

    def write(self, chunk: bytes) -> None:
        """Append the chunk; raises StoreUnavailable."""
        if self._writer is not None:
            self._writer.write(chunk)
            return
        content = (self.content or b"") + chunk
        if len(content) <= self._most:
            self.content = content
        else:
            self.content = None
            self._writer = self._begin()
            self._writer.write(content)


@contextmanager
def keeping(files: FileStore, name: str, most: int) -> Iterator[KeptFile]:
    """A file to be written; of more than `most` bytes, it is durable as `name` at the block's end.

    If the block raises, nothing is kept.
    """
    with ExitStack() as stack:
        yield KeptFile(lambda: stack.enter_context(files.write(name)), most)
