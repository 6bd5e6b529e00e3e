"""Files with many kinds of damage at once, and their reject files, sent again and mended."""

import codecs
import csv
import io
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uploads.reject_file import as_csv
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table
from muster.contracts.uploads import RowCounts, State
from tests.unit.dbuploader.suite import Suite

HIRES = get_table("hired_employees")
WHEN = datetime(2021, 11, 7, 2, 48, 42)
# A lone surrogate: one that UTF-8 has no bytes for, and surrogateescape turns into a bad one.
BAD = "\udcff"
KEYS = count(1, 100)

# Each puts something wrong into the cells of a good row; what it does depends on no other.
CELL_DAMAGES = {
    "bad byte": (1, f"A{BAD}na"),
    "NUL": (1, "A\0na"),
    "line end": (1, '"Ana\r\nBo"'),
    "bad date": (2, "2021-02-30T00:00:00Z"),
    "no date": (2, "soon"),
    "blank": (3, " \t"),
    "absent parent": (3, "9"),
    "not a number": (4, "1_0"),
    "too large": (4, "9999999999"),
}
LINE_DAMAGES = ["opening quote", "closing quote", "extra delimiter", "missing delimiter"]


@dataclass(frozen=True)
class Line:
    """A row, what is wrong with it, how it ends, and the empty lines after it."""

    cell_damages: frozenset[str]
    line_damages: frozenset[str]
    end: str
    empty_lines: int

    @property
    def damaged(self) -> bool:
        return bool(self.cell_damages or self.line_damages)

    def write(self, key: int) -> str:
        cells = good_cells(key)
        for name in sorted(self.cell_damages):
            place, text = CELL_DAMAGES[name]
            cells[place] = text
        if "opening quote" in self.line_damages:
            cells[0] = '"' + cells[0]
        elif "closing quote" in self.line_damages:
            cells[4] += '"'
        if "extra delimiter" in self.line_damages:
            cells.append("more")
        elif "missing delimiter" in self.line_damages:
            cells[3:] = [cells[3] + cells[4]]
        text = ",".join(cells)
        # A quote beside a quoted line end is another story: both of its lines are records then.
        return text.replace("\r\n", " ") if self.line_damages else text

    def lines(self) -> int:
        return 1 + self.empty_lines + ("line end" in self.cell_damages and not self.line_damages)


def good_cells(key: int) -> list[str]:
    return [str(key), f"Ana {key}", "2021-11-07T02:48:42Z", "2", "3"]


LINES = st.builds(
    Line,
    cell_damages=st.just(frozenset()) | st.frozensets(st.sampled_from(sorted(CELL_DAMAGES))),
    line_damages=st.just(frozenset()) | st.frozensets(st.sampled_from(LINE_DAMAGES)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    empty_lines=st.integers(0, 2),
)


def encode(text: str, encoding: str) -> bytes:
    if encoding == "utf-16-le":
        return ("\ufeff" + text).encode(encoding, "surrogatepass")
    mark = codecs.BOM_UTF8 if encoding == "utf-8-sig" else b""
    return mark + text.encode("utf-8", "surrogateescape")


@pytest.mark.hypothesis
def test_damaged_rows_and_no_others_come_back_until_they_are_mended(
    tmp_path: Path, sqlite_database_url: str
) -> None:
    suite = Suite(tmp_path, sqlite_database_url)
    suite.seed()

    @given(
        lines=st.lists(LINES, min_size=1, max_size=10),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le"]),
    )
    def check(lines: list[Line], encoding: str) -> None:
        first = next(KEYS)
        physical = 2
        damaged = {}
        text = ",".join(HIRES.column_names) + "\n"
        for key, line in enumerate(lines, first):
            if line.damaged:
                damaged[physical] = key
            text += line.write(key) + line.end * (1 + line.empty_lines)
            physical += line.lines()
        good = len(lines) - len(damaged)

        upload = suite.load("hired_employees", encode(text, encoding), header="present")

        assert upload.rows == RowCounts(len(lines), inserted=good, rejected=len(damaged))
        if not damaged:
            return
        rejects = suite.rejects(upload.id)
        assert [reject.line for reject in rejects] == list(damaged)
        for safe in (False, True):
            again = reject_file(suite, upload.id, spreadsheet_safe=safe)
            sent_again = suite.load("hired_employees", again)
            assert sent_again.rows == RowCounts(len(damaged), rejected=len(damaged))
            assert first_codes(suite.rejects(sent_again.id)) == first_codes(rejects)
        mended = suite.load("hired_employees", mend(reject_file(suite, upload.id), damaged))
        assert (mended.state, mended.rows.inserted) == (State.COMPLETED, len(damaged))
        keys = range(first, first + len(lines))
        assert suite.rows("hired_employees")[-len(lines) :] == [
            (key, f"Ana {key}", WHEN, 2, 3) for key in keys
        ]

    check()
    suite.close()


def first_codes(rejects: list[Reject]) -> list[str]:
    return [reject.errors[0].code for reject in rejects]


def reject_file(suite: Suite, upload_id: str, *, spreadsheet_safe: bool = False) -> bytes:
    stored = suite.stores.files.open(suite.rejects_name(upload_id))
    return b"".join(as_csv(stored, HIRES, spreadsheet_safe=spreadsheet_safe))


def mend(rejects: bytes, keys: dict[int, int]) -> bytes:
    """The reject file with the cells put right, as its user does in a spreadsheet."""
    reader = csv.DictReader(io.StringIO(rejects.decode(), newline=""))
    assert reader.fieldnames is not None
    mended = io.StringIO()
    writer = csv.DictWriter(mended, reader.fieldnames)
    writer.writeheader()
    for row in reader:
        cells = good_cells(keys[int(row["_line"])])
        writer.writerow(row | dict(zip(HIRES.column_names, cells, strict=True)))
    return mended.getvalue().encode()
