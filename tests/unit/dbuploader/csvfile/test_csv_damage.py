"""Promise 6 over files at random: what is damaged is rejected, and nothing else is."""

import codecs
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from dbuploader.csvfile.model import CsvOptions
from dbuploader.csvfile.reader import open_csv
from dbuploader.validation.rows import Row, RowChecker
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table

HIRES = get_table("hired_employees")
DELIMITERS = {",": ",", ";": ";", "tab": "\t", "pipe": "|"}
# Lone surrogates: one that surrogateescape turns into a byte that UTF-8 lacks.
BAD_BYTE = "\udcff"

# A damage turns the cells of a good row into a line; with it goes the code that it must give.
DAMAGES = {
    "opening quote": "quote-error",
    "closing quote": "quote-error",
    "quote in mid-cell": "quote-error",
    "text after a closing quote": "quote-error",
    "missing delimiter": "missing-cell",
    "extra delimiter": "extra-cell",
    "bad byte": "encoding-error",
    "bad byte in quotes": "encoding-error",
    "NUL": "constraint-error",
    "blank cell": "constraint-error",
    "bad date": "type-error",
    "bad integer": "type-error",
}


@dataclass(frozen=True)
class Line:
    """A row as it was meant, and what was done to it (None: nothing)."""

    name: str
    quoted: bool
    damage: str | None
    end: str
    empty_lines: int


def write_line(line: Line, number: int, delimiter: str) -> str:
    name = line.name
    if line.quoted or set(name) & {'"', delimiter}:
        name = '"' + name.replace('"', '""') + '"'
    cells = [str(number), name, "2021-11-07T02:48:42Z", "2", "3"]
    match line.damage:
        case "opening quote":
            cells[1] = '"Ana'
        case "closing quote":
            cells[1] = 'Ana"'
        case "quote in mid-cell":
            cells[1] = 'A"na'
        case "text after a closing quote":
            cells[1] = '"A"na'
        case "missing delimiter":
            cells[3:] = [cells[3] + cells[4]]
        case "extra delimiter":
            cells.append("x")
        case "bad byte":
            cells[1] = f"A{BAD_BYTE}na"
        case "bad byte in quotes":
            cells[1] = f'"A{BAD_BYTE}{delimiter}na"'
        case "NUL":
            cells[1] = "A\0na"
        case "blank cell":
            cells[4] = " "
        case "bad date":
            cells[2] = "2021-02-30T00:00:00Z"
        case "bad integer":
            cells[0] = "1.5"
    return delimiter.join(cells)


names = st.text(st.sampled_from('abc ,;|"é🙂\u2028'), min_size=1, max_size=12).filter(
    lambda name: name.strip()
)
lines = st.builds(
    Line,
    name=names,
    quoted=st.booleans(),
    damage=st.none() | st.sampled_from(sorted(DAMAGES)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    empty_lines=st.integers(0, 2),
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])


def encode(text: str, encoding: str) -> bytes:
    if encoding.startswith("utf-16"):
        return ("\ufeff" + text).encode(encoding, "surrogatepass")
    mark = codecs.BOM_UTF8 if encoding == "utf-8-sig" else b""
    return mark + text.encode("utf-8", "surrogateescape")


@given(
    lines=st.lists(lines, min_size=1, max_size=12),
    delimiter=st.sampled_from(sorted(DELIMITERS)),
    encoding=encodings,
    header=st.booleans(),
    block_size=st.integers(1, 80) | st.just(1 << 20),
    last_end=st.booleans(),
)
def test_exactly_the_damaged_records_are_rejected(
    lines: list[Line],
    delimiter: str,
    encoding: str,
    header: bool,
    block_size: int,
    last_end: bool,
) -> None:
    character = DELIMITERS[delimiter]
    text = character.join(HIRES.column_names) + "\n" if header else ""
    physical = 1 + header
    expected: list[tuple[int, str | None]] = []
    for number, line in enumerate(lines, 1):
        expected.append((physical, DAMAGES[line.damage] if line.damage else None))
        text += write_line(line, number, character) + line.end * (1 + line.empty_lines)
        physical += 1 + line.empty_lines
    if not last_end:
        text = text.rstrip("\r\n")

    options = CsvOptions(delimiter=delimiter, header="present" if header else "absent")
    file = open_csv(
        BytesIO(encode(text, encoding)), HIRES, options, block_size=block_size, sample_size=1
    )
    results = list(map(RowChecker(HIRES, file.labels).check, file))

    found = [
        (each.line, each.errors[0].code if isinstance(each, Reject) else None) for each in results
    ]
    assert found == expected
    assert [each.row for each in results] == list(range(1, len(lines) + 1))
    for number, (line, result) in enumerate(zip(lines, results, strict=True), 1):
        if isinstance(result, Row):
            when = datetime(2021, 11, 7, 2, 48, 42)
            assert result.values == (number, line.name.strip(" "), when, 2, 3)


@given(st.text(st.sampled_from('ab1,;"\n\r \t\0é' + BAD_BYTE), max_size=60), st.integers(1, 30))
def test_any_text_reads_the_same_in_blocks_of_any_size(text: str, block_size: int) -> None:
    data = b"1,x\n" + text.encode("utf-8", "surrogateescape")
    # A file of this length, or its first byte, may look like UTF-16.
    options = CsvOptions(header="absent", delimiter=",", encoding="utf-8")
    table = get_table("departments")
    whole = list(open_csv(BytesIO(data), table, options))
    assert (
        list(open_csv(BytesIO(data), table, options, block_size=block_size, sample_size=1)) == whole
    )
    # A record takes at least one line, and no line is in two records.
    places = [record.line for record in whole]
    assert places == sorted(set(places))
    assert places[-1] <= len(data.splitlines())


@given(st.text(st.sampled_from("ab1, \r\n\t\0é\u2028" + BAD_BYTE), max_size=60))
def test_lines_without_a_quote_read_the_same_beside_one(text: str) -> None:
    # A quote in the block has each line split by itself, and not the block at once.
    data = b"1,x\n" + text.encode("utf-8", "surrogateescape")
    # By itself a file of this length may look like UTF-16.
    options = CsvOptions(header="absent", delimiter=",", encoding="utf-8")
    table = get_table("departments")
    plain = list(open_csv(BytesIO(data), table, options))
    beside = list(open_csv(BytesIO(data + b'\n9,"y"'), table, options))
    assert beside[:-1] == plain
