"""Finding the lines that cannot be split at their delimiters alone, without visiting each line."""

import codecs
import re
from collections.abc import Iterator
from heapq import merge

from dbuploader.csvfile.model import RECORD_BYTES

_DECODED_AT_ONCE = 256 * 1024
_STRIDE = RECORD_BYTES // 2
# The well-formed sequences of more than one byte: Unicode, table 3-7.
_NOT_ASCII = (
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|"
    rb"\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|"
    rb"\xf4[\x80-\x8f][\x80-\xbf]{2}"
)


class IrregularLines:
    """Finds the lines of `data` that need care, by one or more places in each of them.

    They have a quote or a byte that is not UTF-8, or may be longer than a record may be. `start`
    and `stop` are where lines begin or end.
    """

    def __init__(self, data: bytes, start: int, stop: int) -> None:
        self._data = data
        self._stop = stop
        self._others = merge(_undecodable(data, start, stop), _long(data, start, stop))
        self._quote = self._other = start - 1

    def find(self, position: int) -> int:
        """The first place from `position` on, `stop` if there is none; it never goes back."""
        if self._quote < position:
            place = self._data.find(b'"', position, self._stop)
            self._quote = self._stop if place < 0 else place
        while self._other < position:
            self._other = next(self._others, self._stop)
        return min(self._quote, self._other)


class QuotedLines:
    """Finds lines with quotes in them that are whole records as they stand.

    They have `width` cells, which `delimiter` separates, and each is in quotes or has none.
    """

    def __init__(self, delimiter: str, width: int) -> None:
        between = re.escape(delimiter.encode())
        cell = rb'(?:"(?:%b|%b|"")*+"|(?:%b|%b)*+)' % (
            rb'[^"\r\n\x80-\xff]++',
            _NOT_ASCII,
            rb'[^"\r\n\x80-\xff%b]++' % between,
            _NOT_ASCII,
        )
        short = rb"(?=[^\r\n]{0,%d}+[\r\n])" % _STRIDE
        cells = cell + rb"(?:%b%b){%d}+" % (between, cell, width - 1)
        self._run = re.compile(rb'(?:%b(?=[^"\r\n]*+")%b(?:\r\n?|\n))++' % (short, cells))

    def end(self, data: bytes, start: int, stop: int) -> int:
        """Where a run of such lines ends that begins at `start`; `start` if there is none."""
        match = self._run.match(data, start, stop)
        return match.end() if match else start


def _undecodable(data: bytes, start: int, stop: int) -> Iterator[int]:
    if data.isascii():
        return
    view = memoryview(data)
    while start < stop:
        end = min(start + _DECODED_AT_ONCE, stop)
        try:
            start += codecs.utf_8_decode(view[start:end], "strict", end == stop)[1]
        except UnicodeDecodeError as error:
            yield start + error.start
            start += error.end


def _long(data: bytes, start: int, stop: int) -> Iterator[int]:
    # Whatever is longer than a record covers one of these strides, wherever it begins.
    for place in range(start, stop - _STRIDE + 1, _STRIDE):
        end = place + _STRIDE
        if data.find(b"\n", place, end) < 0 and data.find(b"\r", place, end) < 0:
            yield place
