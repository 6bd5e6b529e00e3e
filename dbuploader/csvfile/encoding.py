"""The file's bytes as UTF-8, whatever their encoding, a block at a time.

Bytes that the encoding cannot decode are carried through as lone surrogates, which are not valid
UTF-8 either: therefore their record is rejected, not the file.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple, Protocol

from dbuploader.csvfile.model import FileError
from muster.contracts.encodings import AUTO, UnknownEncoding, find_codec
from muster.contracts.uploads import UploadWarning

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_STRUCTURE = re.compile("[,;\t|\r\n]")
_SAMPLE_SIZE = 1024
_WITHOUT_MARK = UploadWarning(
    "utf-16-without-mark",
    1,
    "the file has no byte order mark, and was read as UTF-16 because its ASCII characters have a "
    "zero byte each",
)
_SMUGGLED = re.compile(rb"\xed([\xb0-\xb3])([\x80-\xbf])")


class ByteStream(Protocol):
    """What is read in order."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


class Decoded(NamedTuple):
    """A file's content in UTF-8 without a byte order mark, a block at a time.

    `codec` is Python's name of what it was in; `warnings` say why, where the file does not.
    """

    blocks: Iterator[bytes]
    codec: str
    warnings: tuple[UploadWarning, ...] = ()


def decode(stream: ByteStream, encoding: str, block_size: int) -> Decoded:
    """The stream's content in blocks of about `block_size`.

    `encoding` is `auto` (UTF-8, or UTF-16 where the byte order mark or zeros say so) or a name of
    `muster.contracts.encodings`. Raises FileError when there is no such encoding; so does reading
    the first block when the stream does not begin as it must.
    """
    head = _read_head(stream, block_size)
    warnings: tuple[UploadWarning, ...] = ()
    if encoding != AUTO:
        codec = _codec_name(encoding)
    elif head.startswith(_UTF16_MARKS):
        codec = "utf_16"
    elif without_mark := _utf16_without_mark(head):
        codec, warnings = without_mark, (_WITHOUT_MARK,)
    else:
        codec = "utf_8"
    blocks = chain([head], iter(partial(stream.read, block_size), b""))
    if codec in {"utf_8", "utf_8_sig"}:
        return Decoded(_without_mark(blocks), codec)
    return Decoded(_transcoded(blocks, codec), codec, warnings)


def show_undecodable(data: bytes) -> str:
    r"""The text of `data`, with `\xNN` for each byte of the file that could not be decoded."""
    return _SMUGGLED.sub(_unsmuggled, data).decode("utf-8", "backslashreplace")


def _read_head(stream: ByteStream, block_size: int) -> bytes:
    head = b""
    while len(head) < _SAMPLE_SIZE and (block := stream.read(block_size)):
        head += block
    return head


def _utf16_without_mark(head: bytes) -> str | None:
    """The UTF-16 that a file is in which begins so, None if it may be in another encoding.

    At least every second character is ASCII then, and has a zero byte on the same side. No text in
    UTF-8 has any.
    """
    sample = head[: min(len(head), _SAMPLE_SIZE) // 2 * 2]
    before, after = sample[::2].count(0), sample[1::2].count(0)
    for codec, zeros, others in (("utf_16_le", after, before), ("utf_16_be", before, after)):
        if zeros and not others and 4 * zeros >= len(sample):
            return codec if _STRUCTURE.search(sample.decode(codec, "ignore")) else None
    return None


def _codec_name(encoding: str) -> str:
    try:
        return find_codec(encoding)
    except UnknownEncoding as error:
        detail = str(error)
        raise FileError("encoding-error", f"{detail[0].upper()}{detail[1:]}.") from None


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
