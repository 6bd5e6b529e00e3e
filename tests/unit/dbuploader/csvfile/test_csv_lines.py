"""Where physical lines and records begin and end."""

import tracemalloc
from io import RawIOBase
from typing import BinaryIO, cast

import pytest

from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.csvfile.reader import open_csv
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table
from tests.unit.dbuploader.csvfile.reading import cells, check, codes, open_bytes, read

GOOD = [("1", "Sales"), ("2", "Legal")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_records_end_at_lf_crlf_or_cr(end: bytes) -> None:
    assert cells(b"1,Sales" + end + b"2,Legal" + end) == GOOD


def test_line_ends_may_be_mixed() -> None:
    records = read(b"1,Sales\r2,Legal\r\n3,Support\n4,Training")
    assert [record.line for record in records] == [1, 2, 3, 4]


def test_the_last_record_needs_no_line_end() -> None:
    assert cells(b"1,Sales\n2,Legal") == GOOD


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_nothing_else_ends_a_record(mark: str) -> None:
    assert cells(f"1,Sa{mark}les\n2,Legal\n".encode())[0] == ("1", f"Sa{mark}les")


def test_empty_lines_count_as_lines_and_not_as_rows() -> None:
    records = read(b"\n\r\n1,Sales\n\n\r2,Legal\n\n")
    assert [(record.line, record.row) for record in records] == [(3, 1), (6, 2)]


def test_empty_lines_count_where_a_quote_is_about_too() -> None:
    records = read(b'\n\n1,"Sales"\n\n\r2,Legal\n')
    assert [(record.line, record.row) for record in records] == [(3, 1), (6, 2)]


def test_a_line_of_blanks_is_a_record() -> None:
    assert codes(read(b"1,Sales\n  \n2,Legal\n")) == [(2, "missing-cell")]


@pytest.mark.parametrize("block_size", range(1, 12))
def test_a_line_end_may_lie_across_two_blocks(block_size: int) -> None:
    data = b"1,Sales\r\n\r\n2,Legal\r\r\n3,Support\r"
    records = list(open_bytes(data, block_size=block_size, sample_size=1))
    assert [(record.line, record.row) for record in records] == [(1, 1), (3, 2), (5, 3)]


@pytest.mark.parametrize(
    "data", [b"", b"\n\r\n\r", b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf\n"]
)
def test_a_file_without_a_record_is_an_empty_file(data: bytes) -> None:
    with pytest.raises(FileError) as caught:
        open_bytes(data)
    assert caught.value.code == "empty-file"


def test_a_header_alone_is_a_file_without_rows() -> None:
    file = open_bytes(b"id,department\n")
    assert file.has_header
    assert list(file) == []


def test_too_few_cells_reject_the_record_with_blanks_for_those_it_lacks() -> None:
    _, bad, good = read(b"3,Support\n1 Sales\n2,Legal\n")
    assert (bad.cells, bad.raw, bad.errors[0].code) == (("1 Sales", ""), None, "missing-cell")
    assert good.cells == ("2", "Legal")


def test_too_few_cells_reject_the_record_beside_a_quote_likewise() -> None:
    (row,) = check(b'7,"Ana, the first",2021-11-07T02:48:42Z\n', "hired_employees")
    assert isinstance(row, Reject)
    assert row.cells == ("7", "Ana, the first", "2021-11-07T02:48:42Z", "", "")
    assert [error.code for error in row.errors] == ["missing-cell"]


def test_too_many_cells_reject_the_record_with_its_text() -> None:
    first, second = read(b'1,Sales, and more\n2,"Legal"\n')
    assert (first.cells, first.raw, first.errors[0].code) == (
        None,
        "1,Sales, and more",
        "extra-cell",
    )
    assert second.cells == ("2", "Legal")


@pytest.mark.parametrize("block_size", [1000, 65536, 65538, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_beyond_the_limit_is_a_row_error_and_costs_one_row(
    block_size: int, end: bytes
) -> None:
    long = b"2," + "ß".encode() * 70_000
    data = end.join([b"1,Sales", long, b"3,Legal", b""])
    first, second, third = open_bytes(data, block_size=block_size, sample_size=1)
    assert (first.cells, third.cells) == (("1", "Sales"), ("3", "Legal"))
    assert [error.code for error in second.errors] == ["row-error"]
    assert second.raw == "2," + "ß" * 32_767
    assert (second.line, third.line) == (2, 3)


def test_a_line_at_the_limit_is_read() -> None:
    assert codes(read(b"1," + b"x" * 65_534 + b"\r\n2,Legal\n")) == []
    assert codes(read(b"1," + b"x" * 65_535 + b"\r\n2,Legal\n")) == [(1, "row-error")]


class LongStream(RawIOBase):
    """`size` bytes of `fill`, made as they are read, and then `end`."""

    def __init__(self, fill: bytes, size: int, end: bytes) -> None:
        self._fill, self._left, self._end = fill, size, end

    def read(self, size: int = -1) -> bytes:
        if self._left == 0:
            data, self._end = self._end, b""
            return data
        size = min(size, self._left)
        self._left -= size
        return self._fill * size


@pytest.mark.parametrize("fill", [b"x", b'"', b"\x80", b"\n", b"\r"])
def test_no_content_makes_memory_grow(fill: bytes) -> None:
    stream = cast(BinaryIO, LongStream(fill, 32 << 20, b"1,Sales"))
    tracemalloc.start()
    try:
        options = CsvOptions(header="absent")
        file = open_csv(stream, get_table("departments"), options, block_size=1 << 16)
        assert sum(1 for _ in file) == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
