"""POST /v1/uploads/{id}/undo: what can be taken back, and the record that asks for it.

The loader is played by the tests: they finish records as it does.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from werkzeug.test import TestResponse

from muster.contracts.rejects import CellError, Reject, RejectsHeader
from muster.contracts.uploads import (
    UNFINISHED,
    Impact,
    LaterHolder,
    Options,
    RowCounts,
    State,
    UndoCounts,
    Upload,
    now,
)
from muster.stores import Stores
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ADMIN, ANA, CSV, FakeBroker, bearer
from tests.waiting import DEADLINE_SECONDS

MakeApp = Callable[..., OpenAPI]


def accept(stores: Stores, owner: str = "ana", **fields: Any) -> str:
    """An upload that a loader has loaded, unless the fields say otherwise; returns its id."""
    loaded = {
        "state": State.COMPLETED,
        "finished_at": now(),
        "rows": RowCounts(read=3, inserted=3),
        "change": 7,
    }
    number = len(stores.uploads.find(owner=None, state=None, table=None, before=None, limit=99))
    upload = an_upload(id=f"{number:032x}", owner=owner, **{**loaded, **fields})
    return stores.uploads.accept(upload).id


def undo(
    client: FlaskClient,
    upload_id: str,
    who: Mapping[str, str] = ANA,
    headers: Mapping[str, str] | None = None,
    **query: str,
) -> TestResponse:
    return client.post(
        f"/v1/uploads/{upload_id}/undo", query_string=query, headers={**who, **(headers or {})}
    )


def take_back(stores: Stores, undo_id: str, counts: UndoCounts, change: int = 8) -> Upload:
    """Finish the undo as the loader does."""
    partly = counts.kept or counts.blocked
    undone = stores.uploads.get(undo_id)
    stores.uploads.update(str(undone.undoes), expect=frozenset(State), undone_by=undo_id)
    return stores.uploads.update(
        undo_id,
        expect=UNFINISHED,
        state=State.COMPLETED_WITH_REJECTS if partly else State.COMPLETED,
        finished_at=now(),
        undone=counts,
        change=change,
    )


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    found["kind"] = found["type"].removeprefix("/docs/errors#")
    return found


def test_an_undo_is_an_upload_of_its_own_without_a_file(
    client: FlaskClient, stores: Stores, broker: FakeBroker
) -> None:
    undone = accept(stores, table="jobs", filename="new jobs.csv")
    answer = undo(client, undone, headers={"X-Request-Id": "request-1"})
    assert answer.status_code == 202
    shown = answer.get_json()
    assert answer.headers["Location"] == shown["links"]["self"] == f"/v1/uploads/{shown['id']}"
    record = stores.uploads.get(shown["id"])
    assert (record.kind, record.undoes, record.state) == ("undo", undone, State.QUEUED)
    assert (record.table, record.filename) == ("jobs", "new jobs.csv")
    assert (record.size, record.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert (record.owner, record.submitted_by) == ("ana", "ana@example.com")
    assert record.options == Options(mode="possible")
    assert record.sequence > stores.uploads.get(undone).sequence
    assert stores.uploads.contents([record.id]) == {}
    assert stores.uploads.count_unfinished("ana", 9) == 1
    ((routing_key, body, headers),) = broker.published
    assert (routing_key, json.loads(body)["upload_id"]) == ("upload.accepted", record.id)
    assert headers["X-Request-Id"] == record.request_id == "request-1"


def test_the_answer_says_what_is_undone_and_how_its_rows_are_counted(
    client: FlaskClient, stores: Stores
) -> None:
    undone = accept(stores)
    shown = undo(client, undone, mode="all", dry_run="true").get_json()
    assert (shown["kind"], shown["undoes"]) == ("undo", undone)
    assert (shown["options"]["mode"], shown["options"]["dry_run"]) == ("all", True)
    assert shown["rows"] == dict.fromkeys(("written", "restored", "removed", "kept", "blocked"), 0)
    assert (shown["links"]["file"], shown["links"]["undo"]) == (None, None)
    counts = UndoCounts(written=3, removed=3)
    stores.uploads.update(
        shown["id"], expect=UNFINISHED, state=State.VALIDATED, finished_at=now(), undone=counts
    )
    latest = client.get(f"/v1/uploads/{shown['id']}", headers=ANA).get_json()
    assert (latest["rows"]["written"], latest["rows"]["removed"]) == (3, 3)
    assert latest["links"]["undo"] is None


@pytest.mark.parametrize("seconds", ["0", "30"])
def test_an_undo_that_is_final_within_the_wait_is_answered_as_such(
    client: FlaskClient, stores: Stores, seconds: str
) -> None:
    undone = accept(stores)
    loader = threading.Thread(target=_load_next_undo, args=(stores, undone))
    loader.start()
    answer = undo(client, undone, headers={"Prefer": f"wait={seconds}"})
    loader.join(DEADLINE_SECONDS)
    assert answer.headers["Preference-Applied"] == f"wait={seconds}"
    if seconds == "30":
        assert answer.status_code == 200
        assert answer.get_json()["rows"]["removed"] == 3
        assert answer.get_json()["links"]["undo"] is not None


def _load_next_undo(stores: Stores, undone: str) -> None:
    ended = threading.Event()
    for _ in range(1000):
        if found := stores.uploads.find_undoing(undone, 1):
            take_back(stores, found[0].id, UndoCounts(written=3, removed=3))
            return
        ended.wait(0.01)


@pytest.mark.parametrize(
    ("permissions", "mine", "of_others"),
    [
        (("uploads:undo",), 202, 404),
        (("uploads:admin",), 202, 202),
        (("uploads:write", "uploads:read"), 403, 403),
    ],
)
def test_ones_own_takes_a_permission_and_all_takes_an_administrators(
    client: FlaskClient, stores: Stores, permissions: tuple[str, ...], mine: int, of_others: int
) -> None:
    who = bearer("ana", *permissions)
    assert undo(client, accept(stores), who).status_code == mine
    assert undo(client, accept(stores, "bob"), who).status_code == of_others


def test_what_is_not_there_and_what_is_not_ones_own_answer_alike(
    client: FlaskClient, stores: Stores
) -> None:
    foreign, absent = undo(client, accept(stores, "bob")), undo(client, "f" * 32)
    found = [problem(answer, 404) for answer in (foreign, absent)]
    assert found[0]["detail"] == found[1]["detail"] == "There is no such upload."


@pytest.mark.parametrize(
    ("query", "field"),
    [({"mode": "upsert"}, "mode"), ({"dry_run": "maybe"}, "dry_run"), ({"rows": "3"}, "rows")],
)
def test_a_way_that_there_is_none_of_is_refused(
    client: FlaskClient, stores: Stores, query: dict[str, Any], field: str
) -> None:
    found = problem(undo(client, accept(stores), **query), 422)
    assert [error["field"] for error in found["errors"]] == [field]


@pytest.mark.parametrize(
    ("fields", "status", "kind", "said"),
    [
        (
            {"state": State.QUEUED, "finished_at": None, "change": None, "rows": RowCounts()},
            *(409, "nothing-to-undo", "is queued: wait until it is final, or cancel it"),
        ),
        (
            {"state": State.VALIDATED, "change": None, "options": Options(dry_run=True)},
            *(409, "nothing-to-undo", "was a dry run"),
        ),
        (
            {"state": State.FAILED, "change": None, "rows": RowCounts(read=3, unprocessed=3)},
            *(409, "nothing-to-undo", "is failed, and changed nothing"),
        ),
        (
            {"state": State.CANCELLED, "change": None, "rows": RowCounts()},
            *(409, "nothing-to-undo", "is cancelled, and changed nothing"),
        ),
        (
            {"change": None, "rows": RowCounts(read=3, unchanged=3)},
            *(409, "nothing-to-undo", "changed no row of its table"),
        ),
        (
            {"kind": "undo", "change": None, "undone": UndoCounts(written=3, kept=3)},
            *(409, "nothing-to-undo", "changed no row of its table"),
        ),
        ({"kind": "erasure", "erases": 3}, 409, "not-undoable", "an erasure, which is for good"),
        (
            {"finished_at": now() - timedelta(days=30, minutes=1)},
            *(410, "undo-expired", "kept for 30 days, and is gone. Send a file"),
        ),
        ({"change": None}, 410, "undo-expired", "by a version of Muster that did not keep"),
    ],
)
def test_what_can_not_be_taken_back_is_refused(
    client: FlaskClient,
    stores: Stores,
    fields: dict[str, Any],
    status: int,
    kind: str,
    said: str,
) -> None:
    upload_id = accept(stores, **fields)
    for dry_run in ("false", "true"):
        found = problem(undo(client, upload_id, dry_run=dry_run), status)
        assert found["kind"] == kind
        assert said in found["detail"]
    assert stores.uploads.find_undoing(upload_id, 9) == []


def test_how_long_it_can_be_taken_back_is_set(make_app: MakeApp, stores: Stores) -> None:
    old = accept(stores, finished_at=now() - timedelta(days=30, minutes=1))
    assert undo(make_app(undo_days=31).test_client(), old).status_code == 202
    found = problem(undo(make_app(undo_days=0.5).test_client(), old), 410)
    assert "kept for 0.5 days" in found["detail"]


def test_while_an_undo_of_it_waits_there_is_no_other(client: FlaskClient, stores: Stores) -> None:
    upload_id = accept(stores)
    first = undo(client, upload_id).get_json()["id"]
    answer = undo(client, upload_id, mode="all")
    found = problem(answer, 409)
    assert (found["kind"], found["undo"]) == ("undo-waits", first)
    assert f"Its undo {first} is not final yet: wait for it, or cancel it" in found["detail"]
    assert answer.headers["Retry-After"] == "5"
    stores.uploads.update(first, expect=UNFINISHED, state=State.CANCELLED, finished_at=now())
    assert undo(client, upload_id).status_code == 202


def test_a_dry_run_of_an_undo_is_in_nobodys_way(client: FlaskClient, stores: Stores) -> None:
    upload_id = accept(stores)
    for _ in range(2):
        assert undo(client, upload_id, dry_run="true").status_code == 202
    assert undo(client, upload_id).status_code == 202


def test_of_undos_at_once_one_is_let_in(
    client: FlaskClient, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id, store = accept(stores), stores.uploads
    find, inner = type(store).find_undoing, []

    def find_while_another_comes(self: object, *arguments: Any) -> list[Upload]:
        monkeypatch.setattr(type(store), "find_undoing", find)
        inner.append(undo(client, upload_id))
        return find(store, *arguments)

    monkeypatch.setattr(type(store), "find_undoing", find_while_another_comes)
    assert undo(client, upload_id).status_code == 202
    found = problem(inner[0], 409)
    assert (found["kind"], found["undo"]) == ("undo-waits", None)
    assert len(store.find_undoing(upload_id, 9)) == 1


def test_what_is_undone_is_undone_again_once_its_undo_is(
    client: FlaskClient, stores: Stores
) -> None:
    upload_id = accept(stores)
    first = undo(client, upload_id).get_json()["id"]
    take_back(stores, first, UndoCounts(written=3, removed=3))
    found = problem(undo(client, upload_id), 409)
    assert (found["kind"], found["undo"]) == ("already-undone", first)
    assert f"undo its undo, with POST /v1/uploads/{first}/undo" in found["detail"]
    # The undo of the undo; the loader says of the first that it is undone no longer.
    second = undo(client, first).get_json()
    assert second["undoes"] == first
    take_back(stores, second["id"], UndoCounts(written=3, restored=3), change=9)
    stores.uploads.update(upload_id, expect=frozenset(State), undone_by=None)
    assert problem(undo(client, first), 409)["kind"] == "already-undone"
    assert undo(client, upload_id).status_code == 202


def test_what_is_undone_in_part_is_undone_again(client: FlaskClient, stores: Stores) -> None:
    upload_id = accept(stores)
    first = undo(client, upload_id).get_json()["id"]
    take_back(stores, first, UndoCounts(written=3, removed=2, blocked=1))
    assert undo(client, upload_id).status_code == 202


def test_the_undo_of_another_user_is_not_named(client: FlaskClient, stores: Stores) -> None:
    upload_id = accept(stores)
    theirs = undo(client, upload_id, ADMIN).get_json()["id"]
    found = problem(undo(client, upload_id), 409)
    assert (found["undo"], theirs in str(found)) == (None, False)
    take_back(stores, theirs, UndoCounts(written=3, removed=3))
    found = problem(undo(client, upload_id), 409)
    assert (found["kind"], found["undo"], theirs in str(found)) == ("already-undone", None, False)
    assert "another user has undone it" in found["detail"]
    for who, named in ((ANA, None), (ADMIN, theirs)):
        shown = client.get(f"/v1/uploads/{upload_id}", headers=who).get_json()
        assert (shown["is_undone"], shown["undone_by"]) == (True, named)
        assert shown["links"]["undo"] is None


def test_later_holders_of_other_users_are_not_named(client: FlaskClient, stores: Stores) -> None:
    mine, theirs = accept(stores), accept(stores, "bob")
    holders = (LaterHolder(8, mine, 2), LaterHolder(9, theirs, 1), LaterHolder(10, None, 1))
    upload_id = accept(stores, kind="undo", impact=Impact(holders=holders, holders_total=3))
    for who, named in ((ANA, [mine, None, None]), (ADMIN, [mine, theirs, None])):
        shown = client.get("/v1/uploads?limit=1", headers=who).get_json()["uploads"][0]
        assert shown["id"] == upload_id
        assert [holder["upload"] for holder in shown["impact"]["holders"]] == named
        assert [holder["change"] for holder in shown["impact"]["holders"]] == [8, 9, 10]


def test_the_same_request_gives_the_first_answer_again(client: FlaskClient, stores: Stores) -> None:
    upload_id, key = accept(stores), {"Idempotency-Key": "once"}
    first = undo(client, upload_id, headers=key)
    again = undo(client, upload_id, headers=key)
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    take_back(stores, first.get_json()["id"], UndoCounts(written=3, removed=3))
    # Also once it is undone, and the key's own claim is long gone.
    again = undo(client, upload_id, headers=key)
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    others: list[dict[str, Any]] = [{"mode": "all"}, {"dry_run": "true"}]
    for other in others:
        found = problem(undo(client, upload_id, headers=key, **other), 422)
        assert found["kind"] == "idempotency-key-reused"
    assert problem(undo(client, accept(stores), headers=key), 422)["kind"] == (
        "idempotency-key-reused"
    )
    sent = client.post("/v1/uploads?table=jobs", data=b"1,a\n", headers={**ANA, **CSV, **key})
    assert problem(sent, 422)["kind"] == "idempotency-key-reused"


def test_a_refusal_keeps_no_key(client: FlaskClient, stores: Stores) -> None:
    upload_id, key = accept(stores), {"Idempotency-Key": "once"}
    first = undo(client, upload_id).get_json()["id"]
    assert undo(client, upload_id, headers=key).status_code == 409
    stores.uploads.update(first, expect=UNFINISHED, state=State.FAILED, finished_at=now())
    assert undo(client, upload_id, headers=key).status_code == 202


def test_an_undo_has_a_place_in_its_users_share(make_app: MakeApp, stores: Stores) -> None:
    client = make_app(uploads_per_user=1).test_client()
    one, other = accept(stores), accept(stores)
    assert undo(client, one).status_code == 202
    assert problem(undo(client, other), 429)["kind"] == "too-many-uploads"
    sent = client.post("/v1/uploads?table=jobs", data=b"1,a\n", headers={**ANA, **CSV})
    assert sent.status_code == 429
    assert undo(client, other, ADMIN).status_code == 202


def test_an_undo_is_accepted_while_the_broker_is_away(
    client: FlaskClient, stores: Stores, broker: FakeBroker
) -> None:
    broker.down = True
    undo_id = undo(client, accept(stores)).get_json()["id"]
    assert undo_id in [upload.id for upload in stores.uploads.unpublished(10)]


def test_an_undo_that_waits_is_cancelled_by_who_may_undo(
    client: FlaskClient, stores: Stores
) -> None:
    who = bearer("ana", "uploads:undo")
    undo_id = undo(client, accept(stores), who).get_json()["id"]
    assert client.delete(f"/v1/uploads/{undo_id}", headers=who).status_code == 202
    assert stores.uploads.get(undo_id).cancel_requested


def test_an_undo_has_no_file(client: FlaskClient, stores: Stores) -> None:
    undo_id = undo(client, accept(stores)).get_json()["id"]
    found = problem(client.get(f"/v1/uploads/{undo_id}/file", headers=ANA), 404)
    assert found["detail"] == "There is no file: this is an undo, which is not made of one."


def test_the_rows_that_it_did_not_take_back_are_its_rejects(
    client: FlaskClient, stores: Stores
) -> None:
    undo_id = undo(client, accept(stores)).get_json()["id"]
    url = f"/v1/uploads/{undo_id}/rejects"
    assert problem(client.get(url, headers=ANA), 409)["kind"] == "not-finished"
    mine, theirs = accept(stores), accept(stores, "bob")
    errors = [
        CellError("kept", None, "changed later, by change 8", mine),
        CellError("kept", None, "changed later, by change 9", theirs),
        CellError("blocked", None, "hired_employees 3 refers to it"),
    ]
    lines = [RejectsHeader(("id", "job"), raw=False).to_json()]
    for row, error in enumerate(errors, 1):
        lines.append(Reject(0, row, (str(row), "=Cook"), None, (error,)).to_json())
    with stores.files.write(f"{undo_id}.load.rejects") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    take_back(stores, undo_id, UndoCounts(written=4, removed=1, kept=2, blocked=1))
    stores.uploads.update(undo_id, expect=frozenset(State), rejects="load")
    for who, other in ((ANA, "another user's upload"), (ADMIN, f"upload {theirs}")):
        answer = client.get(url, headers=who)
        assert answer.text == (
            "id,job,_line,_row,_code,_column,_message\r\n"
            f'1,=Cook,,1,kept,,"changed later, by change 8: upload {mine}"\r\n'
            f'2,=Cook,,2,kept,,"changed later, by change 9: {other}"\r\n'
            "3,=Cook,,3,blocked,,hired_employees 3 refers to it\r\n"
        )
        assert "'=Cook" in client.get(f"{url}?spreadsheet=safe", headers=who).text
        ndjson = client.get(url, headers={**who, "Accept": "application/x-ndjson"}).text
        (told,) = json.loads(ndjson.splitlines()[1])["errors"]
        assert told["message"] == f"changed later, by change 9: {other}"
        assert (theirs in ndjson) == (who is ADMIN)


def test_without_such_rows_its_rejects_are_but_a_header(
    client: FlaskClient, stores: Stores
) -> None:
    undo_id = undo(client, accept(stores)).get_json()["id"]
    take_back(stores, undo_id, UndoCounts(written=3, removed=3))
    answer = client.get(f"/v1/uploads/{undo_id}/rejects", headers=ANA)
    assert answer.text == "id,job,_line,_row,_code,_column,_message\r\n"


def test_what_was_accepted_says_nothing_of_what_became_of_it() -> None:
    first = an_upload(kind="undo", undoes="u-0", options=Options(mode="all"))
    later = replace(
        first, undone=UndoCounts(written=1, kept=1), change=9, undone_by="u-9", impact=Impact()
    )
    assert later.as_accepted() == first
