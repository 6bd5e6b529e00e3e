"""Physical lines: they end at LF, CRLF or CR and at nothing else, as `bytes.splitlines` has it."""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from dbuploader.csvfile.record import RECORD_BYTES

_LINE_END = re.compile(rb"[\r\n]")


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of whole physical lines.

    A line beyond RECORD_BYTES may come cut, but to more than that, so it still shows as too long:
    no more of it is ever held.
    """
    carry = b""
    skipping = False
    for block in blocks:
        if skipping:
            end = _LINE_END.search(block)
            if end is None:
                continue
            skipping = False
            block = block[end.start() :]
        data = carry + block
        cut = _after_last_line_end(data)
        if cut:
            yield data[:cut]
        carry, skipping = _bounded(data[cut:])
    if carry:
        yield carry


def _after_last_line_end(data: bytes) -> int:
    # A CR at the very end may be one half of a CRLF: its line waits for the next block.
    stop = len(data) - data.endswith(b"\r")
    line_feed = data.rfind(b"\n", 0, stop)
    return max(line_feed, data.rfind(b"\r", line_feed + 1, stop)) + 1


def _bounded(line: bytes) -> tuple[bytes, bool]:
    """The beginning of a line, cut when it is too long, and whether its rest is to be skipped."""
    if len(line) <= RECORD_BYTES + len(b"+\r"):
        return line, False
    ended = line.endswith(b"\r")
    return line[: RECORD_BYTES + 1] + (b"\r" if ended else b""), not ended


class LineQueue:
    """The physical lines of a chunk, with their ends, and of those after it what is looked at.

    Chunks of whole lines are taken from `further` only to look ahead.
    """

    def __init__(self, chunk: bytes, further: Iterator[bytes]) -> None:
        self._lines = deque(chunk.splitlines(keepends=True))
        self._further = further

    def __bool__(self) -> bool:
        return bool(self._lines)

    def take(self) -> bytes:
        """The next line, which leaves the queue; raises IndexError when there is none."""
        return self._lines.popleft()

    def drop(self, count: int) -> None:
        """Take the next `count` lines away."""
        for _ in range(count):
            self._lines.popleft()

    def look_ahead(self) -> Iterator[bytes]:
        """The next lines, on to the end of the file; they stay in the queue."""
        index = 0
        while self._reach(index):
            yield self._lines[index]
            index += 1

    def _reach(self, index: int) -> bool:
        while index >= len(self._lines):
            chunk = next(self._further, None)
            if chunk is None:
                return False
            self._lines.extend(chunk.splitlines(keepends=True))
        return True

    def rest(self) -> bytes:
        """The lines that are still in the queue, as one chunk."""
        return b"".join(self._lines)
