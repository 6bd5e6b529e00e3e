"""The routes of webhooks, as the gateway forwards to them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.http.tokens import authenticate_with
from tests.paging import assert_next_is_linked
from tests.unit.gateway.fakes import WordTokens, bearer

ANA, BOB = bearer("ana"), bearer("bob")
URL = "https://hooks.example.com/muster"


@pytest.fixture
def client(http_side: Callable[..., FlaskClient]) -> FlaskClient:
    client = http_side()
    authenticate_with(client.application, WordTokens().verify)
    return client


def add(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", json={"url": URL, **fields}, headers=ANA)
    assert answer.status_code == 201
    document: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"/v1/webhooks/{document['id']}"
    return document


def test_a_webhook_from_its_first_day_to_its_last(client: FlaskClient) -> None:
    added = add(client, description="payroll")
    path = f"/v1/webhooks/{added['id']}"
    assert added["secret"].startswith("whsec_")
    shown = client.get(path, headers=ANA).get_json()
    assert shown == {name: value for name, value in added.items() if name != "secret"}
    assert shown["events"] == ["upload.finished"]
    assert client.get("/v1/webhooks", headers=ANA).get_json() == {"webhooks": [shown]}
    rotated = client.patch(path, json={"rotate_secret": True}, headers=ANA).get_json()
    assert rotated["secret"] not in {None, added["secret"]}

    tested = client.post(f"{path}/test", headers=ANA)
    assert (tested.status_code, tested.get_json()["event"]) == (202, "webhook.test")
    listed = client.get(f"{path}/deliveries?limit=1", headers=ANA).get_json()
    assert listed == {"deliveries": [tested.get_json()], "next": None}
    client.post(f"{path}/test", headers=ANA)
    first = client.get(f"{path}/deliveries?limit=1", headers=ANA)
    assert first.get_json()["next"]
    assert_next_is_linked(first)
    replay = f"{path}/deliveries/{tested.get_json()['id']}/replay"
    assert client.post(replay, headers=ANA).status_code == 409
    client.patch(path, json={"enabled": False}, headers=ANA)
    disabled = client.post(replay, headers=ANA)
    assert disabled.status_code == 409
    assert disabled.get_json()["type"].endswith("webhook-disabled")
    client.patch(path, json={"enabled": True}, headers=ANA)
    assert client.post(replay, headers=ANA).status_code == 202

    assert client.delete(path, headers=ANA).status_code == 204
    assert client.get(path, headers=ANA).status_code == 404


def test_one_of_somebody_else_is_not_there(client: FlaskClient) -> None:
    path = f"/v1/webhooks/{add(client)['id']}"
    for answer in (
        client.get(path, headers=BOB),
        client.patch(path, json={"enabled": False}, headers=BOB),
        client.delete(path, headers=BOB),
        client.get(f"{path}/deliveries", headers=BOB),
        client.post(f"{path}/test", headers=BOB),
        client.post(f"{path}/deliveries/msg_0/replay", headers=BOB),
    ):
        assert answer.status_code == 404
    assert client.get(path).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"url": 1}',
        b'{"url": "http://hooks.example.com/"}',
        b'{"url": "https://127.0.0.1/"}',
        b'{"url": "https://hooks.example.com/", "secret": "whsec_x"}',
        b'{"url": "https://hooks.example.com/", "description": "a\\nb"}',
    ],
)
def test_what_is_no_webhook_is_refused_with_its_field(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/v1/webhooks", data=body, headers=ANA)
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_the_eleventh_is_refused_and_so_are_bad_pages(client: FlaskClient) -> None:
    ids = [add(client)["id"] for _ in range(10)]
    answer = client.post("/v1/webhooks", json={"url": URL}, headers=ANA)
    assert answer.status_code == 409
    assert answer.get_json()["type"].endswith("too-many-webhooks")
    for query in ("limit=0", "limit=101", "limit=x", "cursor=x"):
        path = f"/v1/webhooks/{ids[0]}/deliveries?{query}"
        assert client.get(path, headers=ANA).status_code == 422
    for body in ({"url": None}, {"enabled": "yes"}, {"secret": "x"}):
        path = f"/v1/webhooks/{ids[0]}"
        assert client.patch(path, json=body, headers=ANA).status_code == 422


def test_tests_are_refused_with_their_wait(client: FlaskClient) -> None:
    path = f"/v1/webhooks/{add(client)['id']}/test"
    answers = [client.post(path, headers=ANA) for _ in range(11)]
    said = [each.headers["RateLimit"].partition(";t=")[0] for each in answers]
    assert said == [f'"webhook-tests";r={max(0, 9 - number)}' for number in range(11)]
    assert answers[0].headers["RateLimit-Policy"] == '"webhook-tests";q=10;w=60'
    assert [each.status_code for each in answers] == [202] * 10 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
