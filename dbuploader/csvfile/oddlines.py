"""Finding the lines that cannot be split at their delimiters alone, without a look at each line."""

import codecs
from collections.abc import Iterator
from heapq import merge

from dbuploader.csvfile.record import RECORD_BYTES

_DECODED_AT_ONCE = 256 * 1024
_STRIDE = RECORD_BYTES // 2


def odd_places(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Places in the lines of `data` that need care, in ascending order, one or more in each.

    Such lines have a quote or a byte that is not UTF-8, or are perhaps longer than a record may be.
    `start` and `stop` are where lines begin or end.
    """
    return merge(
        _quotes(data, start, stop), _undecodable(data, start, stop), _long(data, start, stop)
    )


def _quotes(data: bytes, start: int, stop: int) -> Iterator[int]:
    while (place := data.find(b'"', start, stop)) >= 0:
        yield place
        start = place + 1


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
