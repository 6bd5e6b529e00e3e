"""File names: which are kept, which table one stands for, and how one is downloaded again."""

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

from werkzeug.http import dump_options_header

from gateway.errors import BadFilename, TableNotNamed
from muster.contracts.tables import get_table, tables

MAX_LENGTH = 255
# A reject file is sent again under the name that it was downloaded with.
_SUFFIXES = re.compile(r"(\.rejects)?(\.(csv|tsv|txt|xls[xmb]?|ods))?(\.gz)?", re.IGNORECASE)
# Control characters, halves of a surrogate pair, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_filename(name: str) -> str:
    """The name without its directories, of Unix or Windows; empty if nothing is left.

    Raises BadFilename for one of more than 255 characters or with a control character.
    """
    name = name[max(name.rfind("/"), name.rfind("\\")) + 1 :].strip()
    if len(name) > MAX_LENGTH:
        raise BadFilename(f"A file name may have {MAX_LENGTH} characters at most.")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in name):
        raise BadFilename("A file name may not have control characters.")
    return name


def inflated_name(filename: str) -> str:
    """What the file is called once it is inflated."""
    return filename[:-3] if filename.lower().endswith(".gz") else filename


_WORKBOOK_TYPES = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".xls": "application/vnd.ms-excel",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}
WORKBOOK_TYPES = tuple(_WORKBOOK_TYPES.values())
"""The media types of workbooks."""


def workbook_type(filename: str) -> str:
    """The media type of a workbook that is called so."""
    return _WORKBOOK_TYPES.get(PurePosixPath(filename).suffix.lower(), "application/octet-stream")


def as_download(filename: str) -> str:
    """The Content-Disposition of a file to save under this name (RFC 6266).

    Headers are Latin-1 at most. A name beyond ASCII is therefore encoded per RFC 8187, after an
    approximation in ASCII for clients that know nothing else.
    """
    if filename.isascii():
        return dump_options_header("attachment", {"filename": filename})
    plain = re.sub(r"[^\x00-\x7f]+", "_", _without_accents(filename))
    extended = "UTF-8''" + quote(filename, safe="!#$&+-.^_`|~")
    return dump_options_header("attachment", {"filename": plain, "filename*": extended})


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def table_for(option: str | None, filename: str) -> str:
    """The table that the option names, else the one that the file is named after, caseless.

    Raises UnknownTable or TableNotNamed.
    """
    if option is not None:
        return get_table(option).name
    for table in tables():
        prefix, suffixes = filename[: len(table)], filename[len(table) :]
        if prefix.casefold() == table.casefold() and _SUFFIXES.fullmatch(suffixes):
            return table
    raise TableNotNamed
