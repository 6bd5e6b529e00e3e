"""Undos and erasures stand in auth's audit log before they begin."""

import pytest
from flask.testing import FlaskClient

from muster.stores import Stores
from tests.unit.gateway.behind import NOTE, Behind
from tests.unit.gateway.fakes import ANA, bearer
from tests.unit.gateway.uploads.test_accept_undo import accept
from tests.unit.gateway.uploads.test_erase import CHECK, ERASE

ERASER = bearer("eva", "rows:erase")
ROW = "hired_employees/rows/7"


def test_what_is_asked_for_is_noted_and_a_dry_run_is_not(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores
) -> None:
    id = accept(stores)
    behind.answers = {CHECK: (204, None), ERASE: (204, None)}
    undo = f"/v1/uploads/{id}/undo"
    assert client_with_behind.post(f"{undo}?dry_run=true", headers=ANA).status_code == 202
    assert behind.noted == []
    client_with_behind.post(undo, headers=ANA)
    client_with_behind.delete(f"/v1/tables/{ROW}", headers=ERASER)
    assert behind.noted == [
        {"action": "undo", "subject": id},
        {"action": "erasure", "subject": "hired_employees 7"},
    ]


def test_a_webhook_is_noted_by_its_host_or_id(
    client_with_behind: FlaskClient, behind: Behind
) -> None:
    ana = bearer("ana")
    secret = {"url": "https://hooks.example.com/secret?of=hers"}
    bodies: tuple[object, ...] = (secret, {}, [], {"url": 7}, {"url": "https://["})
    for body in bodies:
        client_with_behind.post("/v1/webhooks", json=body, headers=ana)
    client_with_behind.patch("/v1/webhooks/w1", json={}, headers=ana)
    client_with_behind.delete("/v1/webhooks/w1", headers=ana)
    assert [tuple(entry.values()) for entry in behind.noted] == [
        ("webhook-made", "hooks.example.com"),
        *4 * [("webhook-made", "")],
        ("webhook-changed", "w1"),
        ("webhook-deleted", "w1"),
    ]


@pytest.mark.parametrize("status", [503, 401])
def test_what_can_not_be_noted_is_not_done(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores, status: int
) -> None:
    id = accept(stores)
    before = stores.uploads.backlog()
    behind.answers = {CHECK: (204, None), ERASE: (204, None), f"POST {NOTE}": (status, {})}
    for answer in (
        client_with_behind.post(f"/v1/uploads/{id}/undo", headers=ANA),
        client_with_behind.post(f"/uploads/{id}/undo", headers={**ANA, "Sec-Fetch-Site": "none"}),
        client_with_behind.delete(f"/v1/tables/{ROW}", headers=ERASER),
    ):
        assert answer.status_code == 503
    assert behind.asked == []
    assert stores.uploads.backlog() == before
