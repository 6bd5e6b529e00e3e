"""The text encodings that a file may be in, by their names and Python's aliases for them.

They are those that people have, whose decoders hold no more than a few bytes. Python's codecs know
others: `utf-7` and `unicode_escape` take many times the file in memory, `idna` and `punycode` are
not for files, and in one with states, such as `iso2022_jp`, a bad byte spoils the rows after it.
"""

import re
from collections.abc import Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases

AUTO = "auto"

UNICODE = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
)
SINGLE_BYTE = (
    *("ascii", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254"),
    *("windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874"),
    *("iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6"),
    *("iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-10", "iso-8859-11", "iso-8859-13"),
    *("iso-8859-14", "iso-8859-15", "iso-8859-16", "koi8-r", "koi8-u", "mac-roman"),
    *("mac-cyrillic", "cp437", "cp737", "cp775", "cp850", "cp852", "cp855", "cp857", "cp858"),
    *("cp862", "cp866", "tis-620"),
)
EAST_ASIAN = (
    *("shift_jis", "cp932", "euc-jp", "gb2312", "gbk", "gb18030", "big5", "cp950", "big5-hkscs"),
    *("euc-kr", "cp949"),
)
NAMES = (*UNICODE, *SINGLE_BYTE, *EAST_ASIAN)

_WRITTEN = re.compile(r"[A-Za-z0-9 ._:-]+")
# What Python has no alias for.
_FURTHER = {"windows_874": "cp874", "windows_949": "cp949", "windows_950": "cp950"}


class UnknownEncoding(Exception):
    """The name is of no encoding that a file may be in; the message lists those that are."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no encoding {name[:40]!r} for files: use {AUTO} or one of {', '.join(NAMES)}"
        )


def find_codec(name: str) -> str:
    """The name under which Python knows an encoding of NAMES or an alias of one.

    Raises UnknownEncoding. Python is never asked for a name from outside: it keeps each for ever.
    """
    codec = _CODECS.get(_normal(name)) if _WRITTEN.fullmatch(name) else None
    if codec is None:
        raise UnknownEncoding(name)
    return codec


def _normal(name: str) -> str:
    return normalize_encoding(name).lower()


def _names() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        normal = _normal(name)
        codec = _FURTHER.get(normal) or aliases.get(normal, normal)
        yield normal, codec
        yield codec, codec
        yield from ((alias, codec) for alias, of in aliases.items() if of == codec)
    yield from _FURTHER.items()


_CODECS = dict(_names())
