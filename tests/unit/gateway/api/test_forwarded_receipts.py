"""Receipts through the gateway: who gets one, and when."""

from flask.testing import FlaskClient

from muster.contracts.uploads import State
from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import ADMIN, ANA, BOB, CSV

JOSE = {"Content-Type": "application/jose", "Cache-Control": "private, max-age=86400"}


def accepted(client: FlaskClient) -> str:
    answer = client.post("/v1/uploads?table=jobs", data=b"1,Clerk\n", headers={**ANA, **CSV})
    return str(answer.get_json()["id"])


def test_a_receipt_is_fetched_from_the_loader_for_those_who_see_the_upload(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores
) -> None:
    client, upload_id = client_with_behind, accepted(client_with_behind)
    stores.uploads.update(upload_id, expect={State.QUEUED}, state=State.COMPLETED)
    behind.headers, behind.body = JOSE, b"header.payload.signature"
    url = client.get(f"/v1/uploads/{upload_id}", headers=ANA).get_json()["links"]["receipt"]
    for who in (ANA, ADMIN):
        answer = client.get(url, headers=who)
        assert (answer.status_code, answer.data) == (200, behind.body)
        assert answer.content_type == "application/jose"
    _, asked, headers, _ = behind.asked[-1]
    assert asked == f"/v1/uploads/{upload_id}/receipt"
    assert headers["Authorization"] == ADMIN["Authorization"]
    assert client.get(url, headers=BOB).status_code == 404
    assert len(behind.asked) == 2


def test_there_is_none_while_the_upload_is_not_final(
    client_with_behind: FlaskClient, behind: Behind
) -> None:
    upload_id = accepted(client_with_behind)
    answer = client_with_behind.get(f"/v1/uploads/{upload_id}/receipt", headers=ANA)
    assert (answer.status_code, answer.get_json()["type"]) == (
        409,
        "/docs/errors#not-finished",
    )
    assert "queued" in answer.get_json()["detail"]
    assert behind.asked == []


def test_the_keys_are_for_everybody_and_may_be_kept(
    client_with_behind: FlaskClient, behind: Behind
) -> None:
    behind.headers = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}
    behind.body = b'{"keys": []}'
    # What only one caller adds is not passed on: all who ask at once share an answer.
    answer = client_with_behind.get("/.well-known/receipts.json?v=1", headers={"Accept": "a/b"})
    assert (answer.status_code, answer.get_json()) == (200, {"keys": []})
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    _, asked, headers, _ = behind.asked[0]
    assert asked == "/.well-known/receipts.json"
    assert "Accept" not in headers
