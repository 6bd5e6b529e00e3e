"""How much room the journal takes is measured, once a minute."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from dbuploader.journal.size import EMPLOYMENT_BYTES, SizeMeter
from muster.database import Database, DatabaseUnavailable
from tests.unit.dbuploader.suite import Suite
from tests.waiting import eventually

ROWS = 3000
JOURNAL = ("changes", "changed_keys", "former_rows", "erased_rows", "ledger")


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    """Nothing of another test."""
    EMPLOYMENT_BYTES.clear()
    yield
    EMPLOYMENT_BYTES.clear()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def parts() -> Mapping[str, float]:
    (metric,) = EMPLOYMENT_BYTES.collect()
    return {sample.labels["part"]: sample.value for sample in metric.samples}


def test_a_server_tells_the_journal_from_the_other_tables(
    tmp_path: Path, mysql_database_url: str
) -> None:
    clock = Clock()
    with closing(Suite(tmp_path, mysql_database_url)) as suite:
        meter = SizeMeter(suite.database, clock)
        before = measure(suite.database, meter)
        for name in ("Former", "Later"):
            rows = (f"{id_},{name} {id_**9}\n" for id_ in range(1, ROWS))
            suite.load("jobs", "".join(rows))
        meter.run_if_due()
        assert parts() == before

        def is_told() -> bool:
            clock.now += 61
            return measure(suite.database, meter) == split(suite.database.sizes())

        # A database that is used again may keep the room of larger tables: it need not grow.
        eventually(is_told)
        assert min(parts().values()) > 0


def split(sizes: Mapping[str, int]) -> Mapping[str, float]:
    journal = sum(sizes[name] for name in JOURNAL)
    return {"journal": journal, "tables": sum(sizes.values()) - journal}


def measure(database: Database, meter: SizeMeter) -> Mapping[str, float]:
    """What is measured once the server has counted what it else counts a little later."""
    for table in ("changes", "changed_keys", "former_rows", "ledger", "jobs"):
        database.analyze(table)
    meter.run_if_due()
    return parts()


def test_a_database_in_one_file_is_measured_whole(tmp_path: Path) -> None:
    file = tmp_path / "employment.db"
    with closing(Suite(tmp_path, f"sqlite:///{file}")) as suite:
        SizeMeter(suite.database).run_if_due()
        assert parts()["all"] >= 4096
        assert {*parts()} == {"all"}


class Away:
    def sizes(self) -> Mapping[str, int]:
        raise DatabaseUnavailable("away")


def test_no_size_is_told_while_the_database_is_away() -> None:
    EMPLOYMENT_BYTES.labels("all").set(1)
    SizeMeter(cast(Database, Away())).run_if_due()
    assert parts() == {}


def test_the_statement_of_the_docs_tells_the_same(tmp_path: Path, mysql_database_url: str) -> None:
    page = (Path(__file__).parents[3] / "docs/metrics.md").read_text("utf-8")
    (statement,) = re.findall(r"```sql\n(.*?);\n```", page, re.DOTALL)
    with closing(Suite(tmp_path, mysql_database_url)) as suite:

        def ask() -> Mapping[str, int]:
            with suite.database.read() as connection:
                return {row[0]: int(row[1]) for row in connection.exec_driver_sql(statement)}

        eventually(lambda: ask() == suite.database.sizes())
        assert {"former_rows", "ledger", "jobs"} < {*ask()}
