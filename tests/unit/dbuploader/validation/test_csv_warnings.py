"""Texts that are loaded as they came, and of which the uploader is told that they look odd."""

import pytest

from dbuploader.validation.chunks import ColumnChecker
from dbuploader.validation.warnings import TextWarnings
from muster.contracts.encodings import NAMES, find_codec
from muster.contracts.tables import get_table
from muster.contracts.uploads import UploadWarning
from tests.unit.dbuploader.csvfile.reading import open_bytes

DEPARTMENTS = get_table("departments")


def warnings(data: bytes, encoding: str = "auto") -> tuple[int, tuple[UploadWarning, ...]]:
    file = open_bytes(data, encoding=encoding, block_size=1 << 20)
    checker = ColumnChecker(DEPARTMENTS, file.labels)
    doubts = TextWarnings(DEPARTMENTS, file.codec)
    (chunk,) = map(checker.check, file.chunks())
    found = doubts.find(chunk.lines, chunk.rows)
    return found.total, found.first


def test_apostrophes_around_a_cell_are_loaded_and_told() -> None:
    total, (first, second) = warnings("1,'Sales'\n2,O'Neil\n3,'t Hart\n4, 'Ñu' \n5,'\n".encode())
    assert (total, first.code, first.line) == (2, "apostrophes", 1)
    assert first.message.startswith("department \"'Sales'\" keeps its apostrophes")
    assert (second.code, second.line) == ("apostrophes", 4)


def test_no_more_are_kept_than_an_upload_shows_and_all_are_counted() -> None:
    total, first = warnings(b"".join(b"%d,'Sales'\n" % number for number in range(1, 1001)))
    assert (total, len(first)) == (1000, 20)


@pytest.mark.parametrize("name", ["José Pérez", "Zoë", "Żółw", "naïve", "ça"])
def test_utf8_that_was_taken_for_windows_1252_before_is_told(name: str) -> None:
    text = f"1,Sales\n2,{name.encode().decode('cp1252')}\n"
    total, (warning,) = warnings(text.encode())
    assert (total, warning.code, warning.line) == (1, "misread-text", 2)
    assert f'looks like "{name}"' in warning.message


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("windows-1252", "José"),
        ("latin-1", "José"),
        ("cp1250", "José"),
        ("cp1251", "Ольга"),
        ("mac-roman", "José"),
        ("cp850", "José"),
        ("gbk", "部门"),
        ("cp932", "営業"),
    ],
)
def test_utf8_that_is_read_as_another_encoding_is_told(encoding: str, name: str) -> None:
    total, (warning,) = warnings(f"1,{name}\n".encode(), encoding)
    assert (total, warning.code, warning.line) == (1, "misread-text", 1)
    assert f'looks like "{name}"' in warning.message
    assert "without encoding=" in warning.message


@pytest.mark.parametrize(
    "name", ["José", "«CAFÉ»", "São Paulo", "Ärzte", "naïve Ã", "Zoë €", "中文"]
)
def test_text_that_is_right_is_not_told(name: str) -> None:
    assert warnings(f"1,{name}\n".encode()) == (0, ())
    for encoding in map(find_codec, NAMES):
        try:
            data = f"1,{name}\n".encode(encoding)
        except UnicodeError:
            continue
        assert warnings(data, encoding) == (0, ())
