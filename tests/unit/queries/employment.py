"""An employment database to ask: filled with hires, and with the summary the loader would keep."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert

from muster.contracts.tables.sql import hires_summary, metadata, sql_table
from muster.database import Database


@dataclass(frozen=True)
class Hire:
    datetime: datetime
    department_id: int
    job_id: int
    name: str = "Ana"


def create(database: Database) -> None:
    metadata.create_all(database.engine)


def fill(
    database: Database,
    departments: Mapping[int, str],
    jobs: Mapping[int, str],
    hires: Iterable[Hire] = (),
) -> None:
    """Replace all that the database holds."""
    contents: dict[str, list[dict[str, object]]] = {
        "departments": [{"id": key, "department": name} for key, name in departments.items()],
        "jobs": [{"id": key, "job": name} for key, name in jobs.items()],
        "hired_employees": [
            {"id": number, **vars(hire)} for number, hire in enumerate(hires, start=1)
        ],
    }
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        for name, rows in contents.items():
            if rows:
                connection.execute(insert(sql_table(name)), rows)
    summarise(database, hires)


def summarise(database: Database, hires: Iterable[Hire]) -> None:
    hired = Counter(
        (hire.datetime.year, (hire.datetime.month + 2) // 3, hire.department_id, hire.job_id)
        for hire in hires
    )
    names = ("year", "quarter", "department_id", "job_id")
    rows = [dict(zip(names, key, strict=True), hired=number) for key, number in hired.items()]
    if rows:
        with database.write() as connection:
            connection.execute(insert(hires_summary), rows)


def hires(year: int, month: int, department_id: int, job_id: int, number: int = 1) -> list[Hire]:
    return [Hire(datetime(year, month, 15, 12), department_id, job_id)] * number
