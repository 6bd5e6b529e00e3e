"""A row is taken out of its table, of the journal and of answers at once, in one transaction."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pyroaring import BitMap
from sqlalchemy import inspect, select, text
from werkzeug.test import TestResponse

from dbuploader.db.schema import changed_keys, changes, erased_rows, former_rows
from dbuploader.journal.changes import lock_head, unpack_rows
from dbuploader.journal.erasure import (
    Erasure,
    Erasures,
    NothingToErase,
    RowReferred,
    Tombstones,
)
from dbuploader.uploads.load import UploadLoad
from dbuploader.uploads.run import PartialLoad
from muster.contracts.tables import get_table
from muster.contracts.uploads import State, UndoCounts
from tests.unit.dbuploader.suite import Suite

NAME = "Zoraida Quix"
HIRE = "2021-07-27T16:02:08Z"
URL = "/v1/tables/hired_employees/rows/7/erasure"
MAY_ERASE = {"Authorization": "Bearer eva:rows:erase"}


def hires(*names: str, first: int = 7) -> str:
    return "".join(f"{first + n},{name},{HIRE},1,1\n" for n, name in enumerate(names))


def everything(suite: Suite) -> Iterator[tuple[str, str]]:
    """Each value in the database as text, with its table; parts of the journal unpacked."""
    with suite.database.read() as connection:
        for name in inspect(connection).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {name}")):
                for column, value in row._mapping.items():
                    is_part = (name, column) == ("former_rows", "content")
                    yield name, str(unpack_rows(value).to_pylist() if is_part else value)


def holding(suite: Suite, wanted: str = NAME) -> set[str]:
    """The tables that hold the text."""
    return {name for name, value in everything(suite) if wanted in value}


def order(suite: Suite, key: int = 7, table: str = "hired_employees", entry: str = "e") -> Erasure:
    sequence = suite.store.get(suite.accept("jobs", "1,Clerk\n")).sequence
    return Erasure(get_table(table), key, entry, sequence, "eva", "eva@example.com")


def erase(suite: Suite, erasure: Erasure) -> int | None:
    return Erasures(suite.database).erase(erasure)


def test_a_row_goes_out_of_table_journal_and_answers(client: FlaskClient, suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME, "Bo"))
    suite.load("hired_employees", hires("Zora", "Bob"))
    suite.load("hired_employees", hires(NAME))
    bad = {"id": 7, "name": "x", "datetime": NAME, "department_id": 1, "job_id": 1}
    rejected = client.post(
        "/v1/tables/hired_employees/rows", json=[bad], headers={"Idempotency-Key": "k"}
    )
    assert NAME in rejected.text
    assert holding(suite) == {"hired_employees", "former_rows", "batch_answers"}

    number = erase(suite, order(suite))

    assert holding(suite) == holding(suite, "Zora") == set()
    assert [row[1] for row in suite.rows("hired_employees")] == ["Bob"]
    assert suite.summary() == suite.expected_summary()
    # The part held both rows.
    assert holding(suite, "'Bo'") == {"former_rows"}
    again = client.post(
        "/v1/tables/hired_employees/rows", json=[bad], headers={"Idempotency-Key": "k"}
    )
    assert (again.status_code, again.json and again.json["errors_total"]) == (422, 0)
    with suite.database.read() as connection:
        made = connection.execute(select(changes).where(changes.c.number == number)).one()
        keys = connection.execute(select(changed_keys).where(changed_keys.c.number == number)).one()
        parts = connection.execute(
            select(former_rows.c.entry, former_rows.c.first_key, former_rows.c.content)
        ).all()
        sizes = connection.execute(
            select(changes.c.entry, changes.c.former_bytes).where(changes.c.former_bytes > 0)
        ).all()
    assert (made.kind, made.entry, made.owner, made.made_by) == (
        "erasure",
        "e",
        "eva",
        "eva@example.com",
    )
    assert (made.inserted, made.updated, made.removed, made.former_bytes) == (0, 0, 1, 0)
    assert (keys.effect, [*BitMap.deserialize(keys.bitmap)]) == ("removed", [7])
    assert [(entry, first) for entry, first, _ in parts] == [(parts[0].entry, 8)]
    assert sizes == [(parts[0].entry, len(parts[0].content))]


def test_erasing_again_does_nothing_again(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erasure = order(suite)
    first = erase(suite, erasure)
    suite.load("hired_employees", hires("Later"))
    assert erase(suite, erasure) == first
    assert [row[1] for row in suite.rows("hired_employees")] == ["Later"]
    with suite.database.read() as connection:
        [stone] = connection.execute(select(erased_rows)).all()
    assert (stone.table_name, stone.row_key, stone.entry) == ("hired_employees", 7, "e")
    assert (stone.sequence, stone.erased_by) == (erasure.sequence, "eva@example.com")


def test_a_row_that_others_refer_to_stays(client: FlaskClient, suite: Suite) -> None:
    suite.load("hired_employees", hires("A", "B", "C", "D", "E"))
    answer = client.get("/v1/tables/jobs/rows/1/erasure", headers=MAY_ERASE)
    assert answer.status_code == 409
    assert answer.json is not None
    assert "hired_employees 7, 8, 9 and others refer to jobs 1" in answer.json["detail"]
    with pytest.raises(RowReferred, match="hired_employees 7, 8, 9 and others"):
        erase(suite, order(suite, 1, "jobs"))
    assert suite.rows("jobs")[0] == (1, "Clerk")
    with suite.database.read() as connection:
        assert connection.execute(select(erased_rows)).all() == []


def test_what_was_never_there_is_not_found(client: FlaskClient, suite: Suite) -> None:
    answer = client.get(URL, headers=MAY_ERASE)
    assert answer.status_code == 404
    with pytest.raises(NothingToErase):
        Erasures(suite.database).check(get_table("hired_employees"), 7)
    # The loader, which is in the middle of it, goes on.
    assert erase(suite, order(suite)) is None


def put(client: FlaskClient, body: Any, url: str = URL) -> TestResponse:
    return client.put(url, json=body, headers=MAY_ERASE)


def test_it_is_ordered_over_http(client: FlaskClient, suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    assert client.get(URL, headers=MAY_ERASE).status_code == 204
    for _ in range(2):
        assert put(client, {"upload": "e", "sequence": 99}).status_code == 204
    assert holding(suite) == set()
    # It was there, and may stand in files.
    assert client.get(URL, headers=MAY_ERASE).status_code == 204


@pytest.mark.parametrize("body", [{"upload": "e"}, {"upload": 1, "sequence": 1}, []])
def test_what_is_no_order_is_refused(client: FlaskClient, suite: Suite, body: Any) -> None:
    suite.load("hired_employees", hires(NAME))
    assert put(client, body).status_code == 422
    assert holding(suite) == {"hired_employees"}


@pytest.mark.parametrize(
    ("url", "status"),
    [(URL.replace("/7/", "/x/"), 422), (URL.replace("hired_", "fired_"), 404)],
)
def test_what_is_no_row_is_refused(client: FlaskClient, url: str, status: int) -> None:
    assert client.get(url, headers=MAY_ERASE).status_code == status
    assert put(client, {"upload": "e", "sequence": 1}, url).status_code == status


def test_it_takes_the_permission(client: FlaskClient) -> None:
    assert client.get(URL).status_code == 403
    assert client.put(URL, json={"upload": "e", "sequence": 1}).status_code == 403


def test_a_file_that_waited_rejects_the_row_and_a_later_one_loads_it(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    waiting = suite.accept("hired_employees", hires(NAME, "Bo"))
    erase(suite, order(suite))
    later = suite.accept("hired_employees", hires("Later"))
    suite.processor().process_up_to(waiting)
    upload = suite.store.get(waiting)
    assert (upload.state, upload.rows.inserted) == (State.COMPLETED_WITH_REJECTS, 1)
    [cause] = upload.causes
    assert (cause.code, cause.column, cause.first_line) == ("erased", "id", 1)
    suite.processor().process_up_to(later)
    assert [row[:2] for row in suite.rows("hired_employees")] == [(7, "Later"), (8, "Bo")]


@pytest.mark.parametrize("row", [f"7,{NAME},{HIRE},1,99\n", f"7,{NAME},never,1,1\n"])
def test_a_waiting_row_with_other_faults_says_that_it_was_erased(suite: Suite, row: str) -> None:
    suite.load("hired_employees", hires(NAME))
    waiting = suite.accept("hired_employees", row + hires("Bo", first=8))
    erase(suite, order(suite))
    suite.processor().process_up_to(waiting)
    [reject] = suite.rejects(waiting)
    assert "erased" in {error.code for error in reject.errors}


def test_no_undo_brings_it_back(suite: Suite) -> None:
    first = suite.load("hired_employees", hires(NAME, "Bo"))
    second = suite.load("hired_employees", hires("Zora", "Bob"))
    erase(suite, order(suite))
    undo = suite.undo(second)
    assert undo.state is State.COMPLETED_WITH_REJECTS
    assert undo.undone == UndoCounts(written=2, restored=1, kept=1)
    assert [row[:2] for row in suite.rows("hired_employees")] == [(8, "Bo")]
    assert [reject.cells for reject in suite.rejects(undo.id)] == [("7",)]
    undo = suite.undo(first)
    assert undo.undone == UndoCounts(written=2, removed=1, kept=1)
    assert (suite.rows("hired_employees"), holding(suite)) == ([], set())


def test_no_undo_of_an_undo_brings_it_back(suite: Suite) -> None:
    upload = suite.load("hired_employees", hires(NAME, "Bo"))
    undo = suite.undo(upload)
    assert holding(suite) == {"former_rows"}
    erase(suite, order(suite))
    assert holding(suite) == set()
    again = suite.undo(undo)
    assert again.undone == UndoCounts(written=2, restored=1, kept=1)
    assert [row[:2] for row in suite.rows("hired_employees")] == [(8, "Bo")]


def test_an_undo_that_waited_does_not_bring_it_back(suite: Suite) -> None:
    upload = suite.load("hired_employees", hires(NAME, "Bo"))
    undo = suite.undo(upload)
    waiting = suite.accept_undo(undo.id)
    erase(suite, order(suite))
    suite.processor().process_up_to(waiting)
    assert [row[:2] for row in suite.rows("hired_employees")] == [(8, "Bo")]


@pytest.mark.parametrize(("uploads", "load"), [(1, UploadLoad), (64, PartialLoad)])
def test_a_load_that_has_begun_does_not_bring_it_back(
    tmp_path: Path,
    mysql_database_url: str,
    unhurried: None,
    monkeypatch: pytest.MonkeyPatch,
    uploads: int,
    load: Any,
) -> None:
    """Its file is checked before the erasure. On SQLite a transaction keeps all others out."""
    suite = Suite(tmp_path, mysql_database_url)
    suite.limits = replace(suite.limits, uploads=uploads)
    suite.seed()
    waiting = suite.accept("hired_employees", hires(NAME, "Bob"))
    erasures, merge = [order(suite)], load._merge

    def merge_after(self: UploadLoad, *arguments: Any) -> Any:
        if erasures:
            erase(suite, erasures.pop())
        return merge(self, *arguments)

    monkeypatch.setattr(load, "_merge", merge_after)
    suite.processor().process_up_to(waiting)
    assert erasures == []
    assert [row[:2] for row in suite.rows("hired_employees")] == [(8, "Bob")]
    assert [cause.code for cause in suite.store.get(waiting).causes] == ["erased"]
    suite.close()


def test_a_load_that_is_about_to_commit_is_not_in_its_way(
    tmp_path: Path, mysql_database_url: str, unhurried: None
) -> None:
    """The load holds the head of the journal, and reads the tombstones while the erasure waits."""
    suite = Suite(tmp_path, mysql_database_url)
    suite.seed()
    suite.load("hired_employees", hires(NAME))
    erasure = order(suite)
    with ThreadPoolExecutor(1) as executor:
        with suite.database.write() as connection:
            lock_head(connection)
            erasing = executor.submit(erase, suite, erasure)
            time.sleep(1)
            assert not erasing.done()
            found = Tombstones.after(connection, 0, lock=True)
        assert [*found.keys(erasure.table, 0)] == []
        assert erasing.result(30) is not None
    assert holding(suite) == set()
    suite.close()
