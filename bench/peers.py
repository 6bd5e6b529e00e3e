"""Other ways to get a file of good hires into the table, each in the best shape it was found in.

Each takes an empty table and returns the seconds until its rows are committed. `LOAD DATA` begins
with the file; the others with rows that are already read, checked and in memory. All go through
the driver that Muster uses, and check foreign keys in the server, unless they say otherwise.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas
from sqlalchemy import create_engine

from bench.employment import EmploymentDatabase
from bench.hires import COLUMNS

Row = tuple[int, str, str, int, int]
# Of 1,000, 5,000 and 20,000 the fastest, for both.
_ROWS_A_STATEMENT = 1000
_INSERT = f"INSERT INTO hired_employees ({', '.join(COLUMNS)}) VALUES (%s, %s, %s, %s, %s)"


def load_data(database: EmploymentDatabase, path: Path) -> float:
    """One `LOAD DATA LOCAL INFILE`, which cuts the Z off the moments as the server wants them."""
    statement = (
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE hired_employees CHARACTER SET utf8mb4 "
        "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n' "
        "(id, name, @moment, department_id, job_id) SET datetime = LEFT(@moment, 19)"
    )
    return _seconds(lambda: database.run(statement))


def load_data_unchecked(database: EmploymentDatabase, path: Path) -> float:
    """The same without the server's checks of foreign and unique keys: a wrong row gets in."""
    database.run("SET foreign_key_checks = 0, unique_checks = 0")
    seconds = load_data(database, path)
    database.run("SET foreign_key_checks = 1, unique_checks = 1")
    return seconds


def insert_many(database: EmploymentDatabase, rows: Sequence[Row]) -> float:
    """`executemany`, which the driver turns into INSERT of 1,000 rows each; one transaction."""

    def insert() -> None:
        with database.connection.cursor() as cursor:
            for begin in range(0, len(rows), _ROWS_A_STATEMENT):
                cursor.executemany(_INSERT, rows[begin : begin + _ROWS_A_STATEMENT])
        database.connection.commit()

    return _seconds(insert)


def insert_each(database: EmploymentDatabase, rows: Sequence[Row]) -> float:
    """An INSERT a row; one transaction."""

    def insert() -> None:
        with database.connection.cursor() as cursor:
            for row in rows:
                cursor.execute(_INSERT, row)
        database.connection.commit()

    return _seconds(insert)


def to_sql(url: str, frame: pandas.DataFrame) -> float:
    """`DataFrame.to_sql` with `chunksize=1000` and its default method, the fastest of five ways."""
    engine = create_engine(url.replace("mysql://", "mysql+mysqlconnector://"))
    options = {"if_exists": "append", "index": False, "chunksize": _ROWS_A_STATEMENT}
    try:
        return _seconds(lambda: frame.to_sql("hired_employees", engine, **options))
    finally:
        engine.dispose()


def read_frame(path: Path) -> pandas.DataFrame:
    """The file as a validated frame: integers, text and moments in UTC."""
    frame = pandas.read_csv(path, names=COLUMNS)
    frame["datetime"] = pandas.to_datetime(frame["datetime"], utc=True).dt.tz_localize(None)
    return frame


def read_rows(path: Path, count: int) -> list[Row]:
    """The file's first `count` rows, with moments as the server wants them."""
    with path.open(encoding="utf-8") as file:
        cells = (line.rstrip().split(",") for line in itertools.islice(file, count))
        return [
            (int(id_), name, moment[:19], int(department), int(job))
            for id_, name, moment, department, job in cells
        ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
