"""Physical lines: they end at LF, CRLF or CR and nothing else, as in `bytes.splitlines`."""

import re
from collections.abc import Iterable, Iterator

from dbuploader.csvfile.model import STRICT_RECORD_BYTES

_LINE_END = re.compile(rb"[\r\n]")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n?|\n)?")


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of whole physical lines.

    A line longer than STRICT_RECORD_BYTES may be cut, though not to less, so that it still shows as
    too long: no more of it is ever in memory.
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
    if len(line) <= STRICT_RECORD_BYTES + len(b"+\r"):
        return line, False
    ended = line.endswith(b"\r")
    return line[: STRICT_RECORD_BYTES + 1] + (b"\r" if ended else b""), not ended


class Lines:
    """The physical lines of a file with their line ends, taken one by one or many at once.

    `data` holds those at hand, of which the ones from `position` on are not taken yet. When more
    of the file is needed to look ahead, `data` becomes another object.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.data = b""
        self.position = 0

    def fill(self) -> bool:
        """Have a line at hand; returns False at the end of the file."""
        return self.position < len(self.data) or self._extend()

    def take(self) -> bytes:
        """The next of the lines at hand; empty when there is none."""
        return self.take_until(_line_end(self.data, self.position))

    def take_until(self, stop: int) -> bytes:
        """All lines that begin before the place `stop` of `data`, which is the end of one."""
        taken = self.data[self.position : stop]
        self.position += len(taken)
        return taken

    def drop(self, count: int) -> None:
        """Take and discard the next `count` lines."""
        for _ in range(count):
            self.take()

    def look_ahead(self) -> Iterator[bytes]:
        """The next lines, up to the end of the file; they are not taken."""
        ahead = 0
        while self.position + ahead < len(self.data) or self._extend():
            start = self.position + ahead
            line = self.data[start : _line_end(self.data, start)]
            ahead += len(line)
            yield line

    def _extend(self) -> bool:
        chunk = next(self._chunks, b"")
        if chunk:
            self.data = self.data[self.position :] + chunk
            self.position = 0
        return bool(chunk)


def count_lines(data: bytes, start: int, stop: int) -> int:
    """How many physical lines `data` holds between `start` and `stop`, where lines begin or end."""
    ends = data.count(b"\n", start, stop)
    if data.find(b"\r", start, stop) >= 0:
        ends += data.count(b"\r", start, stop) - data.count(b"\r\n", start, stop)
    return ends + (stop > start and data[stop - 1] not in b"\r\n")


def line_start(data: bytes, first: int, place: int) -> int:
    """Where the line begins that holds `place`; no sooner than `first`, where a line begins."""
    return max(data.rfind(b"\n", first, place), data.rfind(b"\r", first, place), first - 1) + 1


def without_cut_line(data: bytes) -> bytes:
    """The lines of `data`, whose last one may be cut, without it; all of it if it is the only one.

    A line end at the very end may be one half of a CRLF: its line is whole all the same.
    """
    return data[: line_start(data, 0, len(data))] or data


def few_lines(data: bytes, start: int, most: int) -> int:
    """Where at most `most` of the lines from `start` on end: one at least, all if they are few."""
    stop = len(data)
    while count_lines(data, start, stop) > most:
        middle = line_start(data, start, (start + stop) // 2)
        # Not between the halves of a CRLF.
        middle += data[middle - 1 : middle + 1] == b"\r\n"
        if middle == start:
            return _line_end(data, start)
        stop = middle
    return stop


def _line_end(data: bytes, position: int) -> int:
    match = _LINE.match(data, position)
    return match.end() if match else position
