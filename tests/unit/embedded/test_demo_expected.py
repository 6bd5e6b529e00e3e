from pathlib import Path

import pytest

from embedded.demo.expected import Expected

HIRES = """\
1,Ana,2021-01-31T23:59:59Z,1,1
2,Bo,2021-04-01T00:00:00Z,1,1
3,Cy,2021-12-31T23:59:59Z,2,1
4,Di,2022-01-01T00:00:00Z,2,1
5,,2021-01-01T00:00:00Z,1,1
6,Ed,2021-01-01T00:00:00Z,9,1
7,Fay,2021-06-01T00:00:00Z,1,2
"""


@pytest.fixture
def expected(tmp_path: Path) -> Expected:
    (tmp_path / "departments.csv").write_text("1,beta\n2,Alpha\n3,Idle")
    (tmp_path / "jobs.csv").write_text("1,Clerk\n2,Baker")
    (tmp_path / "hired_employees.csv").write_text(HIRES)
    return Expected(tmp_path)


def test_rows_with_a_blank_cell_or_an_unknown_parent_are_rejected(expected: Expected) -> None:
    hires = expected.uploads["hired_employees"]
    assert (hires.read, hires.loaded) == (7, 5)
    assert hires.rejected == {5: "name", 6: "department_id"}


def test_hires_are_counted_by_quarter_and_listed_caseless(expected: Expected) -> None:
    assert expected.hires_by_quarter(2021) == [
        {"department": "Alpha", "job": "Clerk", "q1": 0, "q2": 0, "q3": 0, "q4": 1},
        {"department": "beta", "job": "Baker", "q1": 0, "q2": 1, "q3": 0, "q4": 0},
        {"department": "beta", "job": "Clerk", "q1": 1, "q2": 1, "q3": 0, "q4": 0},
    ]


def test_a_department_without_hires_counts_in_the_mean(expected: Expected) -> None:
    mean, rows = expected.departments_above_mean(2021)
    assert mean == pytest.approx(4 / 3)
    assert rows == [{"id": 1, "department": "beta", "hired": 3}]


def test_the_year_with_most_hires_comes_first(expected: Expected) -> None:
    assert expected.years() == [2021, 2022]
