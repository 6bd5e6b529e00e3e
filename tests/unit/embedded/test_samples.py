import csv
from pathlib import Path

import pytest

from samples.make_samples import BLANKS, COLUMNS, files

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.mark.parametrize("name", sorted(files()))
def test_the_committed_samples_are_what_the_script_makes(name: str) -> None:
    assert (SAMPLES / name).read_bytes() == files()[name]


def test_two_of_the_files_end_without_a_line_end_and_all_have_crlf() -> None:
    contents = files()
    assert not contents["departments.csv"].endswith(b"\n")
    assert not contents["jobs.csv"].endswith(b"\n")
    assert contents["hired_employees.csv"].endswith(b"\r\n")
    for content in contents.values():
        assert content.count(b"\n") == content.count(b"\r\n")


def test_every_column_but_the_key_has_blank_cells_in_some_rows() -> None:
    rows = list(csv.reader(files()["hired_employees.csv"].decode().splitlines()))
    blanks = {column: sum(not row[index] for row in rows) for index, column in enumerate(COLUMNS)}
    assert blanks == {"id": 0, **BLANKS}
