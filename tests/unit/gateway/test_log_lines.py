"""Log lines name the request, its user and the upload that they are about, and no other."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs

from tests.unit.gateway.fakes import ANA, BOB, CSV, FakeBroker

Line = MutableMapping[str, Any]


@pytest.fixture
def logs() -> Iterator[list[Line]]:
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


def named(line: Line) -> tuple[str | None, ...]:
    return tuple(line.get(name) for name in ("event", "request_id", "user", "upload_id"))


def post(client: FlaskClient, request_id: str, **headers: str) -> str:
    answer = client.post(
        "/v1/uploads?filename=jobs.csv",
        data=b"1,Cook",
        headers={**ANA, **CSV, "X-Request-Id": request_id, **headers},
    )
    upload_id: str = answer.get_json()["id"]
    return upload_id


def test_lines_about_an_upload_name_it(
    client: FlaskClient, broker: FakeBroker, logs: list[Line]
) -> None:
    broker.down = True
    upload_id = post(client, "r-1")
    client.get(f"/v1/uploads/{upload_id}", headers={**ANA, "X-Request-Id": "r-2"})
    assert [named(line) for line in logs] == [
        ("upload accepted", "r-1", "ana", upload_id),
        ("left to the relay", "r-1", "ana", upload_id),
        ("request", "r-1", "ana", upload_id),
        ("request", "r-2", "ana", upload_id),
    ]


def test_a_repeat_names_the_upload_of_then(client: FlaskClient, logs: list[Line]) -> None:
    first = post(client, "r-1", **{"Idempotency-Key": "key"})
    assert post(client, "r-2", **{"Idempotency-Key": "key"}) == first
    assert named(logs[-1]) == ("request", "r-2", "ana", first)


def test_nothing_of_a_request_is_left_for_the_next(client: FlaskClient, logs: list[Line]) -> None:
    post(client, "r-1")
    assert get_contextvars() == {}
    client.get("/v1/uploads", headers={**BOB, "X-Request-Id": "r-2"})
    client.get("/v1/uploads", headers={"X-Request-Id": "r-3"})
    assert [named(line) for line in logs[-2:]] == [
        ("request", "r-2", "bob", None),
        ("request", "r-3", None, None),
    ]
