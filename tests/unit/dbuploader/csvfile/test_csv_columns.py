"""The fast way through a file finds what the slow way finds, record by record and cell by cell."""

import codecs
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbuploader.arrow import to_plain, to_rows
from dbuploader.csvfile import chunks as split
from dbuploader.csvfile import reader
from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.csvfile.reader import CsvFile, open_csv
from dbuploader.validation import chunks as checked
from dbuploader.validation.chunks import ColumnChecker
from dbuploader.validation.rows import FlawedRow, Row, RowChecker
from muster.contracts.rejects import Reject
from muster.contracts.tables import Table, get_table
from muster.contracts.uploads import DateOrder

SAMPLES = Path(__file__).parents[4] / "samples"
HIRES = get_table("hired_employees")
# Lone surrogates: surrogateescape turns them into bytes that UTF-8 lacks.
BAD_BYTE, CUT_CHARACTER = "\udcff", "\udce2\udc82"

Found = tuple[int, int, tuple[int | str, ...] | None, tuple[str, ...] | None, Reject | None]

TEXTS = {
    "integer": [
        "1",
        "42",
        "2147483647",
        "2147483648",
        "0",
        "+5",
        " 7",
        "007",
        "",
        "x",
        "٣",
        "1.0",
        "1.5",
    ],
    "string": [
        *(
            "Ana",
            " Bo ",
            "",
            "\u00a0",
            "\u00a0x",
            "\u200b",
            "\u3000\u200b",
            "Zoë",
            "x" * 256,
            "é" * 255,
            "a\0",
            "\x0b",
            "a\tb",
        ),
        *("\u2028", "\ufeffAna", "a\x7f", "a\x85b", "O'Neil", "🙂"),
    ],
    "datetime": [
        *("2021-11-07T02:48:42Z", "2021-11-07 02:48:42", "2021-11-07t02:48:42z"),
        *("2021-11-07T02:48:42+01:00", "2021-11-07T02:48:42.12", "2021-11-07T02:48:42é"),
        *("2024-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2000-02-29T23:59:59Z"),
        *("1000-01-01T00:00:00Z", "0999-01-01T00:00:00Z", "9999-12-31T23:59:59"),
        *("2021-11-07T24:00:00Z", "2021-11-07 02:48:60", "2021-02-30T02:48:42Z", "2021-11-07 "),
        *(
            "2021-11-07",
            "2021-11-07 02:48 UTC",
            "2021/7/27",
            "27/07/2021 16:02",
            "7/27/2021 4:02 PM",
        ),
    ],
}
GOOD = {kind: texts[0] for kind, texts in TEXTS.items()}


# Not monkeypatch: Hypothesis runs many examples in one call of a test.
@pytest.fixture(params=["few lines", "many lines"], scope="module", autouse=True)
def _way(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "few lines":
        yield
    else:
        with patch.object(split, "_FEW_BYTES", -1), patch.object(checked, "_FEW_LINES", -1):
            yield


def slowly(file: CsvFile, table: Table, dates: DateOrder) -> list[Found]:
    checker = RowChecker(table, file.labels, dates)
    found: list[Found] = []
    for record in file:
        result = checker.check(record)
        if isinstance(result, Row):
            found.append((result.line, result.row, to_plain(result.values), result.cells, None))
        else:
            found.append((result.line, result.row, None, None, result))
    return found


def fast(file: CsvFile, table: Table, dates: DateOrder) -> list[Found]:
    checker = ColumnChecker(table, file.labels, dates)
    found: list[Found] = []
    for chunk in file.chunks():
        result = checker.check(chunk)
        part: list[Found] = [(each.line, each.row, None, None, each) for each in result.rejects]
        assert [each[0] for each in part] == sorted(each[0] for each in part)
        for record, values in zip(result.records(), to_rows(result.rows), strict=True):
            part.append((record.line, record.row, values, record.cells, None))
        assert len(part) == len(result)
        found += sorted(part, key=lambda each: each[0])
    return found


def assert_alike(
    data: bytes,
    table: Table,
    options: CsvOptions,
    block_size: int,
    sample_size: int = 1,
    dates: DateOrder = "iso",
) -> None:
    def opened() -> CsvFile:
        return open_csv(
            BytesIO(data), table, options, block_size=block_size, sample_size=sample_size
        )

    try:
        slow = opened()
    except FileError:
        return
    expected = slowly(slow, table, dates)
    found = fast(opened(), table, dates)
    assert found == expected
    assert [type(each[4]) for each in found] == [type(each[4]) for each in expected]


def cells(table: Table) -> st.SearchStrategy[list[str]]:
    kinds = [column.type for column in table.columns]
    good = st.just([GOOD[kind] for kind in kinds])
    return good | st.tuples(
        *(st.just(GOOD[kind]) | st.sampled_from(TEXTS[kind]) for kind in kinds)
    ).map(list)


DAMAGES = [
    "",
    "",
    "",
    "",
    "open",
    "close",
    "middle",
    "whole",
    "spans",
    "more",
    "fewer",
    "bad",
    "cut",
]


def damaged(cells: list[str], damage: str, delimiter: str) -> str:
    cells = list(cells)
    match damage:
        case "open":
            cells[1] = '"' + cells[1]
        case "close":
            cells[-1] += '"'
        case "middle":
            cells[1] = cells[1] + '"x'
        case "whole":
            cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        case "spans":
            cells[1] = f'"{cells[1]}\r\n\n{delimiter}z"'
        case "more":
            cells.append("")
        case "fewer":
            cells = cells[:-1]
        case "bad":
            cells[1] += BAD_BYTE
        case "cut":
            cells[-1] += CUT_CHARACTER
    return delimiter.join(cells)


LINES = st.tuples(
    cells(HIRES),
    st.sampled_from(DAMAGES),
    st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r", "\n \n"]),
)
BLOCK_SIZES = st.integers(1, 200) | st.just(1 << 20)


@given(
    lines=st.lists(LINES, min_size=1, max_size=12),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "iso-8859-1"]),
    block_size=BLOCK_SIZES,
    dates=st.sampled_from(["iso", "dmy", "mdy"]),
)
def test_records_of_all_kinds_are_found_alike(
    lines: list[tuple[list[str], str, str]],
    delimiter: str,
    encoding: str,
    block_size: int,
    dates: DateOrder,
) -> None:
    text = "".join(damaged(row, damage, delimiter) + end for row, damage, end in lines)
    name = {"\t": "tab", "|": "pipe"}.get(delimiter, delimiter)
    options = CsvOptions("absent", name, "iso-8859-1" if "8859" in encoding else "auto")
    assert_alike(encode(text, encoding), HIRES, options, block_size, dates=dates)


@given(
    rows=st.lists(cells(HIRES), min_size=1, max_size=6),
    order=st.permutations([*HIRES.column_names, "_note", "_other"]),
    note=st.sampled_from(["", "x", '"x"', "x" * 70_000, "\0", "é"]),
    block_size=BLOCK_SIZES,
)
def test_columns_in_any_order_with_ignored_ones_are_found_alike(
    rows: list[list[str]], order: list[str], note: str, block_size: int
) -> None:
    lines = [",".join(order)]
    for row in rows:
        named = dict(zip(HIRES.column_names, row, strict=True))
        lines.append(",".join(named.get(label, note) for label in order))
    data = "\n".join(lines).encode()
    assert_alike(data, HIRES, CsvOptions("present", ","), block_size)


@given(
    text=st.text(st.sampled_from('ab1,,;"" \n\n\r\t\0é\ufeff' + BAD_BYTE), max_size=60),
    block_size=BLOCK_SIZES,
)
@example(text="\ufeff1,a\n\ufeff2,b\n", block_size=6)
@example(text=",\n\n,\n", block_size=1)
@example(text='1,"a\n"b\n\n', block_size=3)
def test_any_text_is_read_alike(text: str, block_size: int) -> None:
    data = b"1,x\n" + text.encode("utf-8", "surrogateescape")
    assert_alike(data, get_table("departments"), CsvOptions("absent", ","), block_size)


@pytest.mark.parametrize("name", ["departments", "hired_employees", "jobs"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block_size", [997, 1 << 20])
def test_the_samples_are_read_alike(name: str, end: bytes, block_size: int) -> None:
    data = end.join((SAMPLES / f"{name}.csv").read_bytes().splitlines())
    assert_alike(data, get_table(name), CsvOptions(), block_size)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b'"',
        b"1,",
        b'"1","a"',
        b'1,"a\n,\nb"',
        b"1," + b"x" * 65_534,
        b"1," + b"x" * 65_535,
        b"x" * 100_000,
        b'"1","' + b"x" * 40_000 + b'"',
        b'"1","' + b"x" * 100_000 + b'"',
        b'"1","a\xff"',
        b'"1","\xed\xa0\x80"',
        '"1","a ""é"" \U0001f642"'.encode(),
        b"1,\xff",
    ],
)
def test_very_many_lines_of_a_kind_are_read_alike(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_CHUNK_LINES", 400)
    # More than a chunk takes, where they are short; more than a block, where they are very long.
    count = 450 if len(line) < 20 else 40
    assert_alike(
        b"1,x\n" + (line + b"\r\n") * count, get_table("departments"), CsvOptions(), 1 << 20
    )


def test_a_flawed_row_has_the_values_of_its_other_cells() -> None:
    data = b"x,Ana,2021-11-07T02:48:42Z,2,\n"
    file = open_csv(BytesIO(data), HIRES, CsvOptions())
    (chunk,) = file.chunks()
    (reject,) = ColumnChecker(HIRES, file.labels).check(chunk).rejects
    assert isinstance(reject, FlawedRow)
    assert (reject.values[0], reject.values[3], reject.values[4]) == (None, 2, None)


def encode(text: str, encoding: str) -> bytes:
    if encoding == "utf-16-le":
        return ("\ufeff" + text).encode(encoding, "surrogatepass")
    if encoding == "iso-8859-1":
        return text.encode(encoding, "replace")
    mark = codecs.BOM_UTF8 if encoding == "utf-8-sig" else b""
    return mark + text.encode("utf-8", "surrogateescape")
