"""Rows as text, in which databases take and give them."""

from contextlib import closing
from pathlib import Path

import pytest

from dbuploader.arrow import to_batch
from dbuploader.db.lookup import find_rows_of
from dbuploader.db.tsv import from_tsv, to_tsv
from muster.contracts.tables import get_table
from muster.contracts.uploads import RowCounts
from muster.database import Database
from tests.unit.dbuploader.suite import Suite

HIRES = get_table("hired_employees")
ROWS = to_batch(
    HIRES,
    [
        (1, "Ana", "2021-01-01 00:00:00.000000", 1, 2),
        (2147483647, '"\\N', "1000-01-01 00:00:00.000001", 1, 2147483647),
        (3, "NULL", "9999-12-31 23:59:59.999999", 3, 3),
        (4, "Zoë 𝄞\u2028'", "2021-01-01 00:00:00.000000", 1, 1),
    ],
)


def test_rows_come_back_as_they_were() -> None:
    text = to_tsv(ROWS).decode()

    assert from_tsv(HIRES, text, len(ROWS)) == ROWS
    assert from_tsv(HIRES, "", 0) == ROWS[:0]
    assert to_tsv(ROWS[1:3]).decode() == "".join(text.splitlines(keepends=True)[1:3])


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_text_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"rows|CSV|columns"):
        from_tsv(HIRES, to_tsv(ROWS).decode()[:-cut], len(ROWS))


@pytest.mark.parametrize(
    "name", ["a\tb", "a\nb", "a\rb", "\n", "\t", "a\t2021-01-01 00:00:00.000000\t1\t1\n7\tb"]
)
def test_a_text_with_values_of_more_than_one_line_is_refused(name: str) -> None:
    odd = to_batch(HIRES, [(9, name, "2021-01-01 00:00:00.000000", 1, 1)])

    with pytest.raises(ValueError, match=r"rows|CSV|columns"):
        from_tsv(HIRES, to_tsv(odd).decode(), len(odd))


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\r\nb", "a\rb"])
def test_what_somebody_else_wrote_is_compared_as_it_stands(suite: Suite, name: str) -> None:
    with suite.database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO jobs VALUES (7, '{name}'), (8, 'Cook')")
    with suite.database.read() as connection:
        jobs = get_table("jobs")
        found = find_rows_of(connection, jobs, to_batch(jobs, [(7, ""), (8, "")])[0], lock=False)
    assert found.batch().to_pydict() == {"id": [7, 8], "job": [name, "Cook"]}

    upload = suite.load("jobs", "7,a\n8,Cook\n9,Baker\n")
    assert upload.rows == RowCounts(3, inserted=1, updated=1, unchanged=1)


def test_rows_are_found_whether_their_keys_are_neighbours_or_not(
    tmp_path: Path, mysql_database_url: str
) -> None:
    jobs = get_table("jobs")
    with closing(Suite(tmp_path, mysql_database_url)) as suite:
        suite.load("jobs", "".join(f"{key},Job {key}\n" for key in range(2, 30_002, 2)))
        for keys in ([2, 4, 6], [2, 4, 30_000], [5], [], list(range(1, 30_001))):
            wanted = to_batch(jobs, [(key, "") for key in keys]).column("id")
            found = _find(suite.database, wanted)
            assert [key in found for key in keys] == [key % 2 == 0 for key in keys]
            assert all(name == f"Job {key}" for key, name in found.items())


def _find(database: Database, keys: object) -> dict[int, str]:
    with database.read() as connection:
        found = find_rows_of(connection, get_table("jobs"), keys, lock=False).batch()
    return dict(zip(found["id"].to_pylist(), found["job"].to_pylist(), strict=True))
