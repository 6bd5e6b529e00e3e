"""The file's bytes as UTF-8, whatever they came as, a block at a time.

What the declared encoding cannot decode is carried through as lone surrogates, which are not valid
UTF-8 either: so it is the record they stand in that is rejected, and not the file.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import BinaryIO

from dbuploader.csvfile.options import FileError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SMUGGLED = re.compile(rb"\xed([\xb0-\xb3])([\x80-\xbf])")


def utf8_blocks(stream: BinaryIO, encoding: str, block_size: int) -> Iterator[bytes]:
    """The stream's content in UTF-8 without a byte order mark, in blocks of about `block_size`.

    `encoding` is `auto` (UTF-8, or what the byte order mark says) or the name of a codec. Raises
    FileError when there is no such text encoding, or the stream does not begin as it must.
    """
    head = _read_head(stream, block_size)
    if encoding == "auto":
        codec = "utf-16" if head.startswith(_UTF16_MARKS) else "utf-8"
    else:
        codec = _codec_name(encoding)
    blocks = chain([head], iter(partial(stream.read, block_size), b""))
    if codec == "utf-8":
        return _without_mark(blocks)
    return _transcoded(blocks, codec)


def show_undecodable(data: bytes) -> str:
    r"""The text of `data`, with `\xNN` for each byte of the file that could not be decoded."""
    return _SMUGGLED.sub(_unsmuggled, data).decode("utf-8", "backslashreplace")


def _read_head(stream: BinaryIO, block_size: int) -> bytes:
    head = b""
    while len(head) < len(codecs.BOM_UTF8) and (block := stream.read(block_size)):
        head += block
    return head


def _codec_name(encoding: str) -> str:
    try:
        # Only encode() refuses codecs that are not text encodings, such as base64 and zip.
        "".encode(encoding)
        codecs.getincrementaldecoder(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        detail = (
            f"There is no text encoding {encoding!r}: use auto, utf-8, utf-16, iso-8859-1, "
            "windows-1252 or another that Python's codecs know."
        )
        raise FileError("encoding-error", detail) from None
    return "utf-8" if name == "utf-8-sig" else name


def _without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    iterator = iter(blocks)
    yield next(iterator).removeprefix(codecs.BOM_UTF8)
    yield from iterator


def _transcoded(blocks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)(errors=_smuggle.__qualname__)
    begun = False
    for block, final in chain(((block, False) for block in blocks), [(b"", True)]):
        try:
            text = decoder.decode(block, final)
        except UnicodeError as error:
            detail = f"The file cannot be read as {codec}: {error}."
            raise FileError("encoding-error", detail) from error
        if text and not begun:
            begun = True
            text = text.removeprefix("\ufeff")
        yield text.encode("utf-8", "surrogatepass")


def _smuggle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    undecodable = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in undecodable), error.end


def _unsmuggled(match: re.Match[bytes]) -> bytes:
    high, low = match[1][0], match[2][0]
    return b"\\x%02x" % ((high & 0x03) << 6 | low & 0x3F)


codecs.register_error(_smuggle.__qualname__, _smuggle)
