"""Which bytes stand for which text, and what undecodable ones cost."""

import codecs
import re
from pathlib import Path

import pytest

from dbuploader.csvfile.model import FileError
from muster.contracts.encodings import EAST_ASIAN, NAMES, UnknownEncoding, find_codec
from tests.unit.dbuploader.csvfile.reading import cells, codes, open_bytes, read

TEXT = "1,Años\n2,Łódź 🙂\n"
EXPECTED = [("1", "Años"), ("2", "Łódź 🙂")]


def test_a_file_is_utf8() -> None:
    assert cells(TEXT.encode()) == EXPECTED


def test_a_utf8_mark_is_no_part_of_the_first_cell() -> None:
    assert cells(codecs.BOM_UTF8 + TEXT.encode()) == EXPECTED


@pytest.mark.parametrize("block_size", [1, 2, 3, 5, 1024])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_is_known_by_its_mark(codec: str, block_size: int) -> None:
    data = ("\ufeff" + TEXT).encode(codec)
    assert [
        record.cells for record in open_bytes(data, block_size=block_size, sample_size=1)
    ] == EXPECTED


@pytest.mark.parametrize("block_size", [1, 3, 1024])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [TEXT, "1,Sales", "1;営業部\n2;人事部\n", "1\tx"])
def test_utf16_without_a_mark_is_read_and_told(codec: str, block_size: int, text: str) -> None:
    file = open_bytes(text.encode(codec), block_size=block_size, sample_size=1)
    assert [(each.code, each.line) for each in file.warnings] == [("utf-16-without-mark", 1)]
    assert [record.cells for record in file] == [
        tuple(re.split("[,;\t]", line)) for line in text.splitlines()
    ]


def test_utf16_that_shows_or_is_named_is_not_told() -> None:
    assert open_bytes(("\ufeff" + TEXT).encode("utf-16-le")).warnings == ()
    assert open_bytes(TEXT.encode("utf-16-le"), encoding="utf-16-le").warnings == ()


@pytest.mark.parametrize("data", [b"1,A\0na\n", b"1,a\0\n2,b\0\n", b"1,\0\0\0\0\0\0\n", b"1,ab\n"])
def test_zeros_alone_do_not_make_it_utf16(data: bytes) -> None:
    file = open_bytes(data)
    assert (file.codec, file.warnings) == ("utf_8", ())


@pytest.mark.parametrize("name", ["utf8", "UTF-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_the_encoding_can_be_named(name: str) -> None:
    data = TEXT.encode(name)
    assert [record.cells for record in open_bytes(data, encoding=name)] == EXPECTED


def test_a_one_byte_encoding_can_be_named() -> None:
    (record,) = open_bytes("1,Café €".encode("cp1252"), encoding="windows-1252")
    assert record.cells == ("1", "Café €")


def test_an_invalid_byte_rejects_its_record_only() -> None:
    first, second, third = read(b"1,Sales\n2,Caf\xe9\n3,Legal\n")
    assert (first.cells, third.cells) == (("1", "Sales"), ("3", "Legal"))
    assert (second.line, second.cells, second.raw) == (2, None, "2,Caf\\xe9")
    assert [error.code for error in second.errors] == ["encoding-error"]


def test_an_invalid_byte_within_quotes_rejects_all_lines_of_its_record() -> None:
    first, second = read(b'1,"Caf\xe9\nbar"\n2,Legal\n')
    assert (first.raw, first.errors[0].code) == ('1,"Caf\\xe9\nbar"', "encoding-error")
    assert (second.line, second.cells) == (3, ("2", "Legal"))


@pytest.mark.parametrize("bad", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_overlong_surrogate_too_great_and_cut_sequences_are_invalid(bad: bytes) -> None:
    assert codes(read(b"1,x" + bad + b"\n2,Legal\n")) == [(1, "encoding-error")]


def test_half_a_surrogate_pair_in_utf16_rejects_its_record_only() -> None:
    data = "\ufeff1,Sales\n2,\ud83d\n3,Legal\n".encode("utf-16-le", "surrogatepass")
    assert codes(read(data)) == [(2, "encoding-error")]


def test_an_odd_last_byte_in_utf16_rejects_the_last_record() -> None:
    records = read("\ufeff1,Sales\n2,Legal".encode("utf-16-le") + b"x")
    assert codes(records) == [(2, "encoding-error")]
    assert records[1].raw == "2,Legal\\x78"


def test_a_byte_that_the_named_encoding_lacks_rejects_its_record_and_shows() -> None:
    records = list(open_bytes(b"1,Sales\n2,a\x81b\n3,Legal\n", encoding="cp1252"))
    assert codes(records) == [(2, "encoding-error")]
    assert records[1].raw == "2,a\\x81b"


@pytest.mark.parametrize("name", NAMES)
def test_every_encoding_there_is_reads_a_file(name: str) -> None:
    file = open_bytes("1,Sales\n2,x\n".encode(find_codec(name)), encoding=name)
    assert [record.cells for record in file] == [("1", "Sales"), ("2", "x")]


@pytest.mark.parametrize("name", EAST_ASIAN)
def test_a_bad_byte_in_an_east_asian_encoding_rejects_its_record_only(name: str) -> None:
    codec = find_codec(name)
    data = "1,中\n".encode(codec, "replace") + b"2,a\x81\n3,b\n"
    assert codes(list(open_bytes(data, encoding=name))) == [(2, "encoding-error")]


def test_the_list_of_encodings_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[4] / "docs" / "csv.md").read_text("utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "name",
    [
        *("klingon", "base64", "zip", "rot13", "", "a\0b", "utf-8\0", "ütf-8", "undefined"),
        *("utf-7", "utf_7", "U7", "unicode_escape", "raw_unicode_escape", "idna", "punycode"),
        *("iso2022_jp", "hz", "cp037", "mbcs", "oem"),
    ],
)
def test_what_is_no_encoding_of_files_fails_the_file(name: str) -> None:
    with pytest.raises(FileError, match=r"no encoding .* for files") as caught:
        open_bytes(b"1,Sales\n", encoding=name)
    assert caught.value.code == "encoding-error"
    assert "windows-1252" in caught.value.detail


def test_python_is_not_asked_for_a_name_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # It keeps each that it does not know, for ever.
    monkeypatch.setattr(codecs, "lookup", pytest.fail)
    for number in range(10):
        with pytest.raises(UnknownEncoding):
            find_codec(f"klingon-{number}")


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
def test_a_file_that_its_encoding_cannot_begin_fails(name: str) -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(b"1,Sales\n", encoding=name)
    assert caught.value.code == "encoding-error"
