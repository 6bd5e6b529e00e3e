"""The peer of the embedded default loads all rows, into tables with the same keys and indexes."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from bench.hires import write_hires
from bench.sqlite_shell import SHELL, import_hires
from muster.database import open_database

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.mark.skipif(shutil.which(SHELL) is None, reason="the shell of SQLite is not installed")
def test_the_shell_imports_all_hires_into_the_same_tables(tmp_path: Path) -> None:
    write_hires(tmp_path / "hires.csv", 20)
    assert import_hires(tmp_path / "a.db", SAMPLES, tmp_path / "hires.csv") > 0
    with (
        closing(open_database(f"sqlite:///{tmp_path}/a.db")) as database,
        database.read() as connection,
    ):
        count = "SELECT COUNT(*), SUM(typeof(id) = 'integer') FROM hired_employees"
        assert connection.exec_driver_sql(count).one() == (20, 20)
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert len(inspect(connection).get_indexes("hired_employees")) == 2
