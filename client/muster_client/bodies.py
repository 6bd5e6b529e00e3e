"""What an upload sends: bytes or an open file, from the start each time that it is tried."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Sent = Callable[[int], None]
"""Is told how many bytes have been sent; of a repeat, from the start again."""

Source = str | Path | bytes | BinaryIO
"""A path, the bytes themselves, or an open file that can be read again: its start is the start."""

_CHUNK = 64 * 1024


class Part:
    """A part of a file, which a request sends as its body."""

    def __init__(self, file: BinaryIO, start: int, length: int, sent: Sent) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._left = 0
        self._sent = sent

    def begin(self) -> "Part":
        """Itself, from its start."""
        self._file.seek(self._start)
        self._left = self._length
        return self

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end of the part."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        if data:
            self._left -= len(data)
            self._sent(self._start + self._length - self._left)
        return data

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(_CHUNK):
            yield data


@contextmanager
def opened(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """The source as a file, and its length in bytes. One that was open stays open."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source)
    elif isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    else:
        yield source, source.seek(0, os.SEEK_END)


def name_of(source: Source) -> str | None:
    """What the file is called, if it has a path."""
    return Path(source).name if isinstance(source, str | Path) else None
