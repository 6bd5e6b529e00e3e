"""GET /v1/tables/{table}/rows/{key}/history."""

import time
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, delete, update

from dbuploader.arrow import to_batch
from dbuploader.db.schema import changes as made_changes
from dbuploader.db.schema import former_rows
from dbuploader.journal import history, origin
from dbuploader.journal.changes import (
    Author,
    ChangeRecorder,
    Numbered,
    lock_head,
    move_head,
    write_changes,
)
from muster.contracts.tables import get_table
from tests.paging import assert_next_is_linked
from tests.unit.dbuploader.suite import Suite

ADMIN = "Bearer ada:queries:read,uploads:admin"
# Whom the suite's uploads are of.
UPLOADER = "Bearer 1:queries:read"
STRANGER = "Bearer eve:queries:read"
_MANY = 1000


def read(client: FlaskClient, path: str, who: str = ADMIN, **query: str | int) -> dict[str, Any]:
    answer = client.get(
        f"/v1/tables/{path}/history", query_string=query, headers={"Authorization": who}
    )
    assert answer.status_code == 200, answer.text
    assert_next_is_linked(answer)
    page: dict[str, Any] = answer.get_json()
    return page


def write(client: FlaskClient, table: str, *rows: dict[str, Any]) -> None:
    assert client.post(f"/v1/tables/{table}/rows", json=rows).status_code == 200


def test_all_that_wrote_a_row_is_told_newest_first(suite: Suite, client: FlaskClient) -> None:
    first = suite.load("jobs", "id,job\n7,Cook\n8,Baker\n")
    write(client, "jobs", {"id": 7, "job": "Chef"})
    suite.load("jobs", "7,Chef\n8,Miller\n")
    last = suite.load("jobs", "9,Smith\n7,Head chef\n")
    newest, batch, oldest = read(client, "jobs/rows/7")["changes"]
    assert newest == {
        "change": last.change,
        "kind": "upload",
        "effect": "updated",
        "upload": last.id,
        "at": newest["at"],
        "by": "ana@example.com",
        "line": 2,
        "no_line": None,
        "before": {"id": 7, "job": "Chef"},
        "forgotten": None,
    }
    assert (batch["kind"], batch["upload"], batch["line"]) == ("batch", None, None)
    assert batch["no_line"] is None
    assert (batch["effect"], batch["before"]) == ("updated", {"id": 7, "job": "Cook"})
    assert (oldest["effect"], oldest["upload"], oldest["line"]) == ("inserted", first.id, 2)
    assert (oldest["before"], oldest["forgotten"]) == (None, None)
    assert newest["change"] > batch["change"] > oldest["change"]
    assert newest["at"] > oldest["at"]
    assert newest["at"].endswith("Z")


def test_times_before_are_written_as_the_rows_are(suite: Suite, client: FlaskClient) -> None:
    suite.load("hired_employees", "1,Ty,2021-11-07T02:48:42Z,1,1\n")
    suite.load("hired_employees", "1,Ty,2021-11-07T02:48:42.5Z,1,1\n")
    suite.load("hired_employees", "1,Ty,2022-01-01T00:00:00Z,1,1\n")
    times = [each["before"] for each in read(client, "hired_employees/rows/1")["changes"]]
    assert times[0]["datetime"] == "2021-11-07T02:48:42.500000Z"
    assert times[1] == {
        "id": 1,
        "name": "Ty",
        "datetime": "2021-11-07T02:48:42Z",
        "department_id": 1,
        "job_id": 1,
    }


def test_a_row_that_was_never_there_has_no_history(suite: Suite, client: FlaskClient) -> None:
    suite.load("departments", "7,Archive\n9,Brewery\n")
    assert read(client, "jobs/rows/7") == {"changes": [], "next": None}
    assert read(client, "departments/rows/8") == {"changes": [], "next": None}


def test_whose_a_change_was_is_shown_to_them_and_administrators(
    suite: Suite, client: FlaskClient
) -> None:
    upload = suite.load("jobs", "7,Cook\n")
    write(client, "jobs", {"id": 7, "job": "Chef"})

    def seen(who: str) -> list[tuple[Any, ...]]:
        changes = read(client, "jobs/rows/7", who)["changes"]
        return [(each["upload"], each["by"], each["line"]) for each in changes]

    anas = (upload.id, "ana@example.com", 1)
    assert seen(ADMIN) == [(None, "ana@example.com", None), anas]
    assert seen(UPLOADER) == [(None, None, None), anas]
    assert seen(STRANGER) == [(None, None, None), (None, None, None)]
    assert [each["before"] for each in read(client, "jobs/rows/7", STRANGER)["changes"]] == [
        {"id": 7, "job": "Cook"},
        None,
    ]


def test_the_line_is_that_of_the_row_that_was_loaded(suite: Suite, client: FlaskClient) -> None:
    """Not of one with its key that was rejected, nor of one that repeats it."""
    rows = ["5,Ty,bad,1,1", "5,Ty,2021-01-01,99,1", '5,"Ty",2021-01-01,1,1', "5,Ty,2021-01-01,1,1"]
    suite.load("hired_employees", "\n".join(["id,name,datetime,department_id,job_id", *rows]))
    (change,) = read(client, "hired_employees/rows/5")["changes"]
    assert change["line"] == 4


def test_the_options_of_the_upload_say_how_its_file_is_read(
    suite: Suite, client: FlaskClient
) -> None:
    content = "Nr;Beruf\n5;Köchin\n".encode("latin-1")
    options = {"columns": "Nr:id,Beruf:job", "encoding": "iso8859-1"}
    assert suite.load("jobs", content, **options).rows.inserted == 1
    assert read(client, "jobs/rows/5")["changes"][0]["line"] == 2


def test_without_the_file_the_rest_is_told(suite: Suite, client: FlaskClient) -> None:
    kept, gone = suite.load("jobs", "7,Cook\n"), suite.load("jobs", "7,Chef\n")
    suite.stores.files.delete(gone.id)
    newest, oldest = read(client, "jobs/rows/7")["changes"]
    assert (newest["upload"], newest["line"], newest["no_line"]) == (gone.id, None, "removed")
    assert (oldest["upload"], oldest["line"], oldest["no_line"]) == (kept.id, 1, None)


def test_a_large_file_is_not_read(
    suite: Suite, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.load("jobs", "7,Cook\n")
    assert read(client, "jobs/rows/7")["changes"][0]["line"] == 1
    monkeypatch.setattr(origin, "MOST_BYTES", 6)
    (change,) = read(client, "jobs/rows/7")["changes"]
    assert (change["line"], change["no_line"]) == (None, "too-large")


def test_lines_are_sought_for_a_limited_time(
    suite: Suite, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in ("Cook", "Chef"):
        suite.load("jobs", f"1,First {job}\n7,{job}\n")
    monkeypatch.setattr(origin, "_SECONDS", -1.0)
    changes = read(client, "jobs/rows/7")["changes"]
    assert [(each["line"], each["no_line"]) for each in changes] == [(None, "not-found")] * 2


def test_values_that_are_gone_are_null_and_it_is_told_why(
    suite: Suite, client: FlaskClient
) -> None:
    suite.load("jobs", "7,Cook\n")
    expired = suite.load("jobs", "7,Chef\n")
    suite.load("jobs", "7,Head chef\n")
    with suite.database.write() as connection:
        connection.execute(delete(former_rows))
        mine = made_changes.c.entry == expired.id
        long_ago = update(made_changes).where(mine).values(expired_at=datetime(2021, 1, 1))
        connection.execute(long_ago)
    found = [
        (each["effect"], each["before"], each["forgotten"])
        for each in read(client, "jobs/rows/7")["changes"]
    ]
    assert found == [
        ("updated", None, "erased"),
        ("updated", None, "expired"),
        ("inserted", None, None),
    ]


def test_former_values_are_found_in_any_part(
    suite: Suite, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbuploader.journal.changes._PART_BYTES", 64)
    keys = [*range(1, 400, 2), *range(2, 400, 2)]
    suite.load("jobs", "".join(f"{key},Job {key}\n" for key in keys))
    suite.load("jobs", "".join(f"{key},Other {key}\n" for key in keys))
    for key in (1, 200, 399):
        newest, *_ = read(client, f"jobs/rows/{key}")["changes"]
        assert newest["before"] == {"id": key, "job": f"Job {key}"}


@pytest.mark.parametrize("limit", [3, 4])
def test_pages_hold_every_change_once(suite: Suite, client: FlaskClient, limit: int) -> None:
    uploads = [suite.load("jobs", f"7,Job {number}\n").id for number in range(6)]
    suite.load("jobs", "6,Cook\n8,Cook\n")
    page = read(client, "jobs/rows/7", limit=limit)
    seen = page["changes"]
    while page["next"] is not None:
        page = read(client, "jobs/rows/7", limit=limit, cursor=page["next"])
        assert 0 < len(page["changes"]) <= limit
        seen += page["changes"]
    assert [each["upload"] for each in seen] == uploads[::-1]


def test_a_page_that_takes_long_ends_early(
    suite: Suite, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [suite.load("jobs", f"7,Job {number}\n").id for number in range(3)]
    monkeypatch.setattr(history, "_SECONDS", -1.0)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(9):
        page = read(client, "jobs/rows/7", **cursor)
        seen += [each["upload"] for each in page["changes"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == uploads[::-1]


def test_a_long_journal_is_read_in_steps(
    suite: Suite, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_NUMBERS_AT_ONCE", 3)
    monkeypatch.setattr(history, "_BITMAPS_AT_ONCE", 2)
    uploads = [suite.load("jobs", f"{6 + number % 3},Job {number}\n").id for number in range(12)]
    page = read(client, "jobs/rows/7")
    assert [each["upload"] for each in page["changes"]] == uploads[::-1][1::3]
    assert page["next"] is None


REFUSED = [
    ("jobs/rows/x", {}, "key"),
    ("jobs/rows/0", {}, "key"),
    *(("jobs/rows/7", {"limit": limit}, "limit") for limit in ("0", "101", "-1", "x", "")),
    *(("jobs/rows/7", {"cursor": cursor}, "cursor") for cursor in ("0", "-1", "x", "", "1" * 19)),
]


def test_what_cannot_be_meant_is_refused(client: FlaskClient) -> None:
    headers = {"Authorization": ADMIN}
    for path, query, field in REFUSED:
        answer = client.get(f"/v1/tables/{path}/history", query_string=query, headers=headers)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["field"] == field


def test_only_who_may_read_rows_may_read_their_history(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer ana:rows:write,uploads:admin"}
    assert client.get("/v1/tables/jobs/rows/1/history", headers=headers).status_code == 403
    headers = {"Authorization": ADMIN}
    assert client.get("/v1/tables/nothing/rows/1/history", headers=headers).status_code == 404


def a_tenth(connection: Connection, number: int) -> Numbered:
    """A change of each tenth job up to 5,000; of 2,501 it keeps the former values."""
    jobs = get_table("jobs")
    author = Author(f"batch{number}", "batch", "1", "ana@example.com")
    recorder = ChangeRecorder(connection, jobs, author.entry)
    rows = to_batch(jobs, [(key, f"Job {number}") for key in range(number % 10 + 1, 5000, 10)])
    (recorder.update if number % 10 + 1 == 2501 % 10 else recorder.insert)(rows)
    recorder.flush()
    return Numbered(number, author, recorder)


def test_a_row_is_found_in_milliseconds_among_a_thousand_changes(
    suite: Suite, client: FlaskClient
) -> None:
    """Each change has the row's key between its keys, and a tenth of them the key itself."""
    with suite.database.write() as connection:
        head = lock_head(connection)
        numbers = range(head.number + 1, head.number + _MANY + 1)
        write_changes(connection, [a_tenth(connection, number) for number in numbers])
        move_head(connection, head._replace(number=numbers[-1]))
    read(client, "jobs/rows/2501")
    begun = time.perf_counter()
    page = read(client, "jobs/rows/2501")
    page_seconds = time.perf_counter() - begun
    assert len(page["changes"]) == 20
    begun = time.perf_counter()
    assert read(client, "jobs/rows/5500") == {"changes": [], "next": None}
    none_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    seen = page["changes"]
    while page["next"] is not None:
        page = read(client, "jobs/rows/2501", limit=100, cursor=page["next"])
        seen += page["changes"]
    all_seconds = time.perf_counter() - begun
    print(f"{page_seconds:.4f} s a page, {all_seconds:.4f} s all, {none_seconds:.4f} s for none")
    assert len(seen) == _MANY // 10
    assert page_seconds < 5.0
