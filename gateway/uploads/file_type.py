"""Tells by its first bytes whether a file is a workbook, or certainly neither that nor CSV."""

import codecs
import re
import struct
from collections.abc import Iterable, Iterator
from itertools import chain

from gateway.errors import NotCsv

# This many bytes identify every kind; text may begin with white space.
_LONGEST = 512
# .xls, and any workbook with a password; what else may be in it shows when it is read.
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_ZIP_HEAD = struct.Struct("<4s5H3I2H")
# What a package of Office Open XML begins with, whichever program has written it.
_OOXML_PARTS = (b"[Content_Types].xml", b"_rels/", b"customXml/", b"docProps/", b"xl/")
# Of an OpenDocument: its first part is its type, by section 3.3 of part 2.
_ODF_TYPE = b"application/vnd.oasis.opendocument."
_ODF_SPREADSHEET = _ODF_TYPE + b"spreadsheet"
_KINDS = {
    _ZIP: "a zip archive that is no workbook",
    b"PK\x05\x06": "an empty zip archive",
    b"%PDF-": "a PDF",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\0\0\1\0": "an icon image",
    b"PAR1": "a Parquet file",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"BZh": "a bzip2 archive",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"SQLite f": "an SQLite database",
    b"Obj\x01": "an Avro file",
    b"ARROW1\0\0": "an Arrow file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"FEA1": "an Arrow file (Feather)",
}
_GZIP = b"\x1f\x8b"
# Where the first bytes vary or are letters that CSV may begin with.
_LATER_KINDS = (
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "a WebP image"),
    (re.compile(rb"BM.{4}\0{4}", re.DOTALL), "a BMP image"),
    (re.compile(rb".{4}ftyp(heic|heix|heif|mif1|msf1|avif|avis)", re.DOTALL), "a HEIF image"),
)
_HTML = re.compile(
    r"\s*+(?:<\?xml\b[^>]*+>\s*+)?(?:<!--.*?-->\s*+)*+"
    r"<(?:!doctype\s+html|html|head|body|title|meta|table|div|script|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(r"\s*<\?xml\b")
# A label may stand in square brackets, so those alone prove nothing.
_JSON = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_TEXTS = (
    (
        _HTML,
        "This is a web page (HTML), not CSV, perhaps one to sign in that came in place of the "
        "file. Where a spreadsheet opens it, save it from there as CSV and send that.",
    ),
    (_XML, "This is XML, not CSV. Where a spreadsheet opens it, save it as CSV and send that."),
    (
        _JSON,
        "This is JSON, not CSV: send up to 1000 rows of it to POST /v1/tables/{table}/rows, or "
        "write it as CSV and send that.",
    ),
)


def recognise(chunks: Iterable[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Whether they are a workbook, and the same bytes.

    Raises NotCsv if they are certainly neither that nor CSV.
    """
    iterator = iter(chunks)
    head = b""
    for chunk in iterator:
        head += chunk
        if len(head) >= _LONGEST:
            break
    is_workbook = _is_workbook(head)
    if not is_workbook:
        _check(head)
    return is_workbook, chain([head] if head else [], iterator)


def _is_workbook(head: bytes) -> bool:
    if not head.startswith(_ZIP) or len(head) < _ZIP_HEAD.size:
        return head.startswith(_OLE2)
    *_, name_size, extra_size = _ZIP_HEAD.unpack_from(head)
    name_end = _ZIP_HEAD.size + name_size
    name, content = head[_ZIP_HEAD.size : name_end], head[name_end + extra_size :]
    if name == b"mimetype":
        return content.startswith(_ODF_SPREADSHEET)
    return name.startswith(_OOXML_PARTS)


def _check(head: bytes) -> None:
    if head.startswith(_GZIP):
        raise NotCsv(
            "This is gzip that was not declared, or was compressed twice: send it once compressed "
            "with Content-Encoding: gzip, or under a name that ends in .gz."
        )
    starting = (kind for magic, kind in _KINDS.items() if head.startswith(magic))
    matching = (kind for pattern, kind in _LATER_KINDS if pattern.match(head))
    for kind in chain(starting, matching):
        raise NotCsv(f"This is {kind}, neither CSV nor a workbook; save it as CSV and send that.")
    text = _as_text(head)
    for pattern, message in _TEXTS:
        if pattern.match(text):
            raise NotCsv(message)


def _as_text(head: bytes) -> str:
    codec = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    return head.decode(codec, "replace").removeprefix("\ufeff")
