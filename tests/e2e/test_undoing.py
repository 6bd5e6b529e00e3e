"""Undo as its users have it: through the gateway, over a suite that runs."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.test_one_after_another import csv_file, hires

PASSWORD = "correct horse battery"
PERMISSIONS = ["uploads:write", "uploads:read", "uploads:undo"]


@pytest.fixture
def ana(suite: SuiteProcess, admin: Client) -> Iterator[Client]:
    """A user who may undo what is her own."""
    email = f"ana.{time.monotonic_ns()}@example.com"
    admin.add_user(email, PASSWORD, PERMISSIONS)
    with Client(suite.url, email, PASSWORD) as client:
        yield client


def load(client: Client, table: str, content: bytes, **options: str) -> dict[str, Any]:
    return client.wait(client.upload(f"{table}.csv", content, **options)["id"])


def undo(client: Client, upload: dict[str, Any], **options: str) -> dict[str, Any]:
    return client.wait(client.undo(upload["id"], **options)["id"])


def refused(client: Client, upload: dict[str, Any], **options: str) -> tuple[int, dict[str, Any]]:
    with pytest.raises(requests.HTTPError) as caught:
        client.undo(upload["id"], **options)
    answer = caught.value.response
    return answer.status_code, answer.json()


def named(client: Client, table: str, *keys: int) -> dict[int, str]:
    """Those of the rows that are there, by their keys."""
    column = {"departments": "department", "jobs": "job"}[table]
    found = {}
    for key in keys:
        answer = client.session.get(f"{client.url}/v1/tables/{table}/rows/{key}")
        if answer.status_code != requests.codes.not_found:
            answer.raise_for_status()
            found[key] = answer.json()[column]
    return found


def test_an_upload_is_undone_and_its_undo_too(ana: Client, admin: Client) -> None:
    load(ana, "jobs", csv_file((9401, "Baker"), (9402, "Cook")))
    upload = load(ana, "jobs", csv_file((9402, "Chef"), (9403, "Dyer")))
    assert (upload["kind"], upload["is_undone"]) == ("upload", False)
    assert upload["links"]["undo"] == f"/v1/uploads/{upload['id']}/undo"

    tried = undo(ana, upload, dry_run="true")
    assert tried["state"] == "validated"
    counts = {"written": 2, "restored": 1, "removed": 1, "kept": 0, "blocked": 0}
    assert (tried["rows"], tried["change"]) == (counts, None)
    assert named(admin, "jobs", 9401, 9402, 9403) == {9401: "Baker", 9402: "Chef", 9403: "Dyer"}

    undone = undo(ana, upload)
    assert (undone["state"], undone["kind"], undone["undoes"]) == (
        *("completed", "undo"),
        upload["id"],
    )
    assert undone["rows"] == counts
    assert undone["change"] > upload["change"]
    assert named(admin, "jobs", 9401, 9402, 9403) == {9401: "Baker", 9402: "Cook"}
    shown = ana.get_upload(upload["id"])
    assert (shown["is_undone"], shown["undone_by"]) == (True, undone["id"])
    assert shown["links"]["undo"] is None
    status, problem = refused(ana, upload)
    assert (status, problem["undo"]) == (409, undone["id"])
    assert problem["type"] == "/docs/errors#already-undone"

    again = undo(ana, undone)
    assert (again["state"], again["rows"]["written"]) == ("completed", 2)
    assert named(admin, "jobs", 9401, 9402, 9403) == {9401: "Baker", 9402: "Chef", 9403: "Dyer"}
    assert ana.get_upload(upload["id"])["is_undone"] is False
    assert ana.get_upload(undone["id"])["undone_by"] == again["id"]
    assert undo(ana, upload)["state"] == "completed"
    assert named(admin, "jobs", 9401, 9402, 9403) == {9401: "Baker", 9402: "Cook"}
    assert ana.wait_for_email(undone["id"])["state"] == "sent"


def test_rows_that_others_touched_or_refer_to_stay(ana: Client, admin: Client) -> None:
    upload = load(ana, "departments", csv_file((9411, "Bakery"), (9412, "Cellar"), (9413, "Dairy")))
    later = load(admin, "departments", csv_file((9412, "Wine cellar")))
    load(ana, "jobs", csv_file((9411, "Baker")))
    load(ana, "hired_employees", hires(9413000, 1, 9413, 9411))

    failed = undo(ana, upload, mode="all")
    assert (failed["state"], failed["change"]) == ("failed", None)
    assert len(named(admin, "departments", 9411, 9412, 9413)) == 3

    undone = undo(ana, upload)
    assert undone["state"] == "completed_with_rejects"
    assert undone["rows"] == {"written": 3, "restored": 0, "removed": 1, "kept": 1, "blocked": 1}
    assert named(admin, "departments", 9411, 9412, 9413) == {9412: "Wine cellar", 9413: "Dairy"}
    rejects = {row["id"]: row for row in ana.rejects(undone["id"])}
    assert {key: row["_code"] for key, row in rejects.items()} == {
        "9412": "kept",
        "9413": "blocked",
    }
    assert {row["_line"] for row in rejects.values()} == {""}
    assert rejects["9412"]["_message"].endswith(": another user's upload")
    assert f"upload {later['id']}" in admin.rejects_file(undone["id"]).decode()
    assert later["id"] not in ana.rejects_file(undone["id"]).decode()
    with pytest.raises(requests.HTTPError) as caught:
        ana.session.get(f"{ana.url}/v1/uploads/{undone['id']}/file").raise_for_status()
    assert caught.value.response.status_code == requests.codes.not_found


def test_the_same_request_undoes_once(ana: Client) -> None:
    upload = load(ana, "jobs", csv_file((9421, "Baker")))
    first = ana.undo(upload["id"], key="undo-once")
    assert ana.undo(upload["id"], key="undo-once")["id"] == first["id"]
    assert ana.wait(first["id"])["rows"]["removed"] == 1
    assert ana.undo(upload["id"], key="undo-once")["id"] == first["id"]
    assert refused(ana, upload, key="undo-once", mode="all")[0] == 422


def test_an_undo_that_waits_is_the_only_one_and_can_be_cancelled(
    ana: Client, admin: Client
) -> None:
    upload = load(ana, "jobs", csv_file((9431, "Baker")))
    # Something to wait behind.
    ahead = admin.upload("jobs.csv", csv_file(*((n, "Clerk") for n in range(943_000, 1_243_000))))
    waiting = ana.undo(upload["id"])
    status, problem = refused(ana, upload)
    assert (status, problem["type"]) == (409, "/docs/errors#undo-waits")
    assert problem["undo"] == waiting["id"]
    ana.cancel(waiting["id"])
    assert ana.wait(waiting["id"])["state"] == "cancelled"
    assert named(admin, "jobs", 9431) == {9431: "Baker"}
    assert admin.wait(ahead["id"])["state"] == "completed"
    assert undo(ana, upload)["rows"]["removed"] == 1
    assert undo(admin, ahead)["rows"]["removed"] == 300_000


def test_ones_own_is_for_its_owner_and_all_is_for_administrators(
    suite: SuiteProcess, ana: Client, admin: Client
) -> None:
    upload = load(ana, "jobs", csv_file((9441, "Baker")))
    email = f"bob.{time.monotonic_ns()}@example.com"
    admin.add_user(email, PASSWORD, PERMISSIONS)
    with Client(suite.url, email, PASSWORD) as bob:
        assert refused(bob, upload)[0] == 404
    undone = undo(admin, upload)
    assert undone["rows"]["removed"] == 1
    shown = ana.get_upload(upload["id"])
    assert (shown["is_undone"], shown["undone_by"]) == (True, None)
    assert refused(ana, upload)[1]["undo"] is None
    assert admin.get_upload(upload["id"])["undone_by"] == undone["id"]
