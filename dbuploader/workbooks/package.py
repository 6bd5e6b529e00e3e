"""What python-calamine does not tell of a workbook: how large it is unpacked, its errors, its lock.

Here, too, nothing is trusted: this runs where the workbook is parsed.
"""

# What zipfile asks for late, when no file can be opened any more.
import encodings.cp437  # noqa: F401
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from dbuploader.workbooks.cells import column_number

ZIP = b"PK\x03\x04"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_PIECE = 1024 * 1024
_SMALL_PART = 16 * 1024 * 1024
_MOST_ERRORS = 100_000
_ERROR_TYPE = re.compile(rb"""\bt=["']e["']""")
# What an OpenDocument cell may hold that python-calamine leaves out of its text.
_LEFT_OUT = re.compile(rb"<text:(?:tab|line-break)\b")
_OVERLAP = 32
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
# The record FILEPASS, right at the beginning: [MS-XLS] 2.4.117 and 2.1.7.20.3.
_FILEPASS = re.compile(rb"\x09\x08\x10\0.{16}(?:\x86\0\0\0)?\x2f\0", re.DOTALL)
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Place = tuple[int, int]
"""The row and the column of a cell, both from 0."""


class Unreadable(Exception):
    """Why the workbook can't be read: the code of a failed upload, and what to tell."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def check(file: BinaryIO, most_bytes: int) -> bool:
    """Return whether it is a zip, as all but .xls are, that unpacks to `most_bytes` at most.

    Raises Unreadable; also if it is encrypted.
    """
    file.seek(0)
    head = file.read(len(OLE2))
    if head.startswith(OLE2):
        _check_ole2(file)
        return False
    try:
        with ZipFile(file) as package:
            size = sum(part.file_size for part in package.infolist())
            encrypted = _is_encrypted(package)
    except (BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise _damaged(str(error)) from error
    if size > most_bytes:
        raise Unreadable(
            "workbook-too-large",
            f"The workbook unpacks to {size} bytes and may have {most_bytes} "
            "(MUSTER_MAX_WORKBOOK_BYTES). Save its sheet as CSV, and send that.",
        )
    if encrypted:
        raise encrypted_workbook()
    return True


def encrypted_workbook() -> Unreadable:
    """It needs a password."""
    return Unreadable(
        "workbook-encrypted",
        "The workbook is protected by a password, which Muster does not ask for. Save it without "
        "one, or save its sheet as CSV, and send that.",
    )


def _damaged(reason: str) -> Unreadable:
    return Unreadable(
        "workbook-damaged",
        f"The file can't be read as a workbook ({reason.rstrip('.')}). Open it in a spreadsheet, "
        "save it again or save its sheet as CSV, and send that.",
    )


def damaged(error: BaseException) -> Unreadable:
    """The parser's error, as one of the file."""
    return _damaged(str(error) or type(error).__name__)


def _check_ole2(file: BinaryIO) -> None:
    file.seek(0)
    before = b""
    while piece := file.read(_PIECE):
        data = before + piece
        if _ENCRYPTED_PACKAGE in data or _FILEPASS.search(data):
            raise encrypted_workbook()
        before = data[-len(_ENCRYPTED_PACKAGE) :]


def _is_encrypted(package: ZipFile) -> bool:
    if any(part.flag_bits & 1 for part in package.infolist()):
        return True
    with suppress(KeyError):
        return b"encryption-data" in _read_small(package, "META-INF/manifest.xml")
    return False


def check_texts(file: BinaryIO) -> None:
    """Return if the cells of an OpenDocument sheet hold nothing that would be left out.

    Raises Unreadable.
    """
    with ZipFile(file) as package:
        if any(_LEFT_OUT.search(data) for data in _pieces(package, "content.xml")):
            raise Unreadable(
                "workbook-damaged",
                "A cell of the workbook holds a tab or a line break, which can't be read from this "
                "format for certain. Take it out, or save the sheet as CSV, and send that.",
            )


def is_opendocument(file: BinaryIO) -> bool:
    """Whether the zip is an OpenDocument."""
    with ZipFile(file) as package:
        return "content.xml" in package.namelist()


def errors_in(file: BinaryIO, sheet: str) -> Mapping[Place, str]:
    """The cells of the sheet that show an error, such as #REF!, as far as the format tells them.

    python-calamine gives them as blank.
    """
    with ZipFile(file) as package, suppress(KeyError, ElementTree.ParseError, expat.ExpatError):
        part = _part_of(package, sheet)
        if any(_ERROR_TYPE.search(data) for data in _pieces(package, part)):
            return _ErrorCells().find(_pieces(package, part, overlap=0))
    return {}


def _part_of(package: ZipFile, sheet: str) -> str:
    """The part that has the sheet; raises KeyError if the package is laid out in another way."""
    relations = {
        each.get("Id"): each.get("Target", "")
        for each in _elements(package, "xl/_rels/workbook.xml.rels")
    }
    for element in _elements(package, "xl/workbook.xml"):
        if element.tag.endswith("}sheet") and element.get("name") == sheet:
            return posixpath.join("/xl", relations[element.get(_RELATION)]).lstrip("/")
    raise KeyError(sheet)


def _elements(package: ZipFile, name: str) -> Iterator[ElementTree.Element]:
    # What it may expand to is bounded by what this process may take.
    yield from ElementTree.fromstring(_read_small(package, name)).iter()  # noqa: S314


def _read_small(package: ZipFile, name: str) -> bytes:
    with package.open(name) as part:
        return part.read(_SMALL_PART)


def _pieces(package: ZipFile, name: str, overlap: int = _OVERLAP) -> Iterator[bytes]:
    before = b""
    with package.open(name) as part:
        while piece := part.read(_PIECE):
            yield before + piece
            before = piece[-overlap:] if overlap else b""


class _ErrorCells:
    """Reads the XML of a sheet for its cells of type `e`; a reference that is left out is counted.

    ECMA-376, part 1, 18.3.1.4.
    """

    def __init__(self) -> None:
        self._found: dict[Place, str] = {}
        self._row = self._column = -1
        self._is_error = self._in_value = False
        self._text = ""
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._read

    def find(self, pieces: Iterator[bytes]) -> Mapping[Place, str]:
        """The first of them; raises ExpatError."""
        for piece in pieces:
            self._parser.Parse(piece, False)
            if len(self._found) >= _MOST_ERRORS:
                break
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row = int(attributes.get("r", self._row + 2)) - 1
                self._column = -1
            case "c":
                self._column += 1
                if reference := attributes.get("r"):
                    self._column = column_number(reference.rstrip("0123456789"))
                self._is_error = attributes.get("t") == "e"
            case "v":
                self._in_value, self._text = self._is_error, ""

    def _end(self, name: str) -> None:
        if self._in_value and name.rpartition(":")[2] == "v":
            self._found[self._row, self._column] = self._text
            self._in_value = False

    def _read(self, text: str) -> None:
        if self._in_value:
            self._text += text
