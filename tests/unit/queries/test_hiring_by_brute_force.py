"""Both answers against a count over the employees themselves, which the service never reads."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fractions import Fraction
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from muster.database import Database
from tests.unit.queries.employment import Hire, fill, hires

Rows = list[tuple[str | int, ...]]

names = st.sampled_from(["Sales", "sales", "Straße", "STRASSE", "Legal", "Émile, Zoë", '"=1"'])
tables = st.dictionaries(st.integers(1, 2**31 - 1), names, max_size=5)
times = st.datetimes(datetime(2020, 6, 1), datetime(2022, 6, 1)) | st.sampled_from(
    [datetime(2021, 1, 1), datetime(2021, 3, 31, 23, 59, 59, 999999), datetime(2021, 4, 1)]
)


@st.composite
def employments(draw: st.DrawFn) -> tuple[dict[int, str], dict[int, str], list[Hire]]:
    departments, jobs = draw(tables), draw(tables)
    if not departments or not jobs:
        return departments, jobs, []
    some = st.builds(
        Hire, times, st.sampled_from(sorted(departments)), st.sampled_from(sorted(jobs))
    )
    return departments, jobs, draw(st.lists(some, max_size=40))


def expected_quarters(departments: dict[int, str], jobs: dict[int, str], hired: list[Hire]) -> Rows:
    pairs = {(one.department_id, one.job_id) for one in hired if one.datetime.year == 2021}
    rows: Rows = []
    for department, job in pairs:
        months = Counter(
            one.datetime.month
            for one in hired
            if (one.department_id, one.job_id) == (department, job) and one.datetime.year == 2021
        )
        quarters = [sum(months[month] for month in range(n, n + 3)) for n in (1, 4, 7, 10)]
        rows.append((departments[department], jobs[job], *quarters))
    return rows


def expected_above(departments: dict[int, str], hired: list[Hire]) -> Rows:
    counts = Counter(one.department_id for one in hired if one.datetime.year == 2021)
    mean = Fraction(counts.total(), len(departments)) if departments else Fraction(0)
    return [(key, name, counts[key]) for key, name in departments.items() if counts[key] > mean]


def ask(client: FlaskClient, question: str) -> tuple[dict[str, Any], Rows]:
    answer = client.get(f"/v1/queries/{question}?year=2021").json
    assert answer is not None
    return answer, [tuple(row.values()) for row in answer["rows"]]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(employments())
def test_the_answers_are_those_of_a_count_over_the_employees(
    client: FlaskClient,
    database: Database,
    employment: tuple[dict[int, str], dict[int, str], list[Hire]],
) -> None:
    departments, jobs, hired = employment
    fill(database, departments, jobs, hired)

    _, rows = ask(client, "hires-by-quarter")
    assert sorted(rows) == sorted(expected_quarters(departments, jobs, hired))
    caseless = [(str(row[0]).casefold(), str(row[1]).casefold()) for row in rows]
    assert caseless == sorted(caseless)

    answer, rows = ask(client, "departments-above-mean")
    assert sorted(rows) == sorted(expected_above(departments, hired))
    assert answer["mean"] * len(departments) == sum(one.datetime.year == 2021 for one in hired)
    order = [(-int(row[2]), str(row[1]).casefold(), row[0]) for row in rows]
    assert order == sorted(order)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that is run meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_no_question_reads_the_employees(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {1: "Clerk"}, hires(2021, 1, 1, 1))
    for question in ("hires-by-quarter", "departments-above-mean"):
        with statements() as seen:
            ask(client, question)
        assert any("hires_summary" in statement for statement in seen)
        assert not [statement for statement in seen if "hired_employees" in statement]


def test_an_answer_takes_as_few_selects_as_it_can(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {1: "Clerk"}, hires(2021, 1, 1, 1))
    for path, selects in (
        ("queries/hires-by-quarter?year=2021", 1),
        ("queries/departments-above-mean?year=2021", 1),
        # The rows, and how many there are.
        ("tables/hired_employees/rows", 2),
    ):
        with statements() as seen:
            assert client.get(f"/v1/{path}").status_code == 200
        begun, *asked = seen
        assert begun in {"BEGIN", "SET TRANSACTION READ ONLY"}
        assert [statement.split()[0] for statement in asked] == ["SELECT"] * selects
