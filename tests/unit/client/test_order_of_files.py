"""In which order files are sent."""

from pathlib import Path

import pytest

from gateway.errors import TableNotNamed
from gateway.uploads.filenames import table_for
from muster.contracts.tables import tables
from muster_client import Table, TableNotKnown
from muster_client.load_order import in_load_order, table_of

TABLES = [Table.read(table.schema) for table in tables().values()]


def table(name: str, *parents: str) -> Table:
    keys = [
        {"fields": ["a"], "reference": {"resource": each, "fields": ["id"]}} for each in parents
    ]
    return Table.read({"name": name, "fields": [], "foreignKeys": keys})


def test_children_go_after_their_parents() -> None:
    files = ["in/hired_employees.csv", "JOBS.xlsx", "departments.csv.gz"]
    assert in_load_order(files, TABLES)[2] == "in/hired_employees.csv"


def test_files_of_one_table_keep_their_order() -> None:
    files = ["b/jobs.csv", "a/jobs.csv", "jobs.rejects.csv"]
    assert in_load_order(files, TABLES) == files


def test_tables_that_refer_to_themselves_or_in_a_circle_have_some_order() -> None:
    people = table("people", "people", "teams")
    assert in_load_order(["people.csv", "teams.csv"], [people, table("teams")]) == [
        "teams.csv",
        "people.csv",
    ]
    circle = [table("a", "b"), table("b", "a")]
    assert in_load_order(["b.csv", "a.csv"], circle) == ["a.csv", "b.csv"]


def test_a_file_of_no_table_is_named_with_the_tables() -> None:
    with pytest.raises(TableNotKnown, match=r"notes\.csv .* departments, jobs, hired_employees"):
        in_load_order(["jobs.csv", "notes.csv"], TABLES)


@pytest.mark.parametrize(
    "name",
    [
        "jobs.csv",
        "Jobs.CSV.gz",
        "jobs",
        "jobs.rejects.xlsx",
        "jobs2.csv",
        "jobs.pdf",
        "my-jobs.csv",
    ],
)
def test_a_name_means_what_it_means_to_the_gateway(name: str) -> None:
    try:
        expected = table_for(None, Path(name).name)
    except TableNotNamed:
        expected = None
    assert table_of(name, tables()) == expected
