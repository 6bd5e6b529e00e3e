"""Inflating gzip (RFC 1952) a piece at a time, so that no bomb is ever unpacked in memory."""

import zlib
from collections.abc import Iterable, Iterator

from gateway.errors import BadGzip, CutGzip

_PIECE = 64 * 1024
_GZIP_ONLY = 31


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What the gzip members in `chunks` hold, in pieces of at most 64 KiB.

    Several members in a row are one file, and zeros after them are padding, as in gzip(1). No bytes
    at all are an empty file. Raises BadGzip, after all that there is CutGzip.
    """
    member: zlib._Decompress | None = None
    first = True
    for chunk in chunks:
        data = chunk
        while data:
            if member is None:
                data = data if first else data.lstrip(b"\0")
                if not data:
                    break
                member, first = zlib.decompressobj(_GZIP_ONLY), False
            piece, data = _step(member, data)
            if piece:
                yield piece
            if member.eof:
                member = None
    if member is not None:
        raise CutGzip("The gzip data ends too early; send the whole file.")


def _step(member: "zlib._Decompress", data: bytes) -> tuple[bytes, bytes]:
    """At most one piece out of `data`, and the data that is still to be read."""
    try:
        piece = member.decompress(data, _PIECE)
    except zlib.error as error:
        raise BadGzip(f"This is not gzip, or it is damaged ({error}).") from error
    return piece, member.unused_data if member.eof else member.unconsumed_tail
