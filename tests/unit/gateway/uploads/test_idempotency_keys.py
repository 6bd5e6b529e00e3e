"""Idempotency-Key on uploads: one upload a key."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.uploads.idempotency import CLAIM_SECONDS, claimed
from muster.contracts.uploads import UNFINISHED, State
from muster.stores import Stores
from muster.uploadstore import KeyTaken
from tests.unit.gateway.fakes import ANA, BOB, CSV

ROWS = b"1,Recruiter\n"
KEY = {"Idempotency-Key": "key 1"}


def post(client: FlaskClient, data: bytes = ROWS, query: str = "", **headers: str) -> Any:
    every = {**ANA, **CSV, **KEY, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.post(f"/v1/uploads?table=jobs{query}", data=data, headers=every)


def count(stores: Stores) -> int:
    return len(stores.uploads.find(owner=None, state=None, table=None, before=None, limit=100))


def test_the_same_request_gets_the_first_answer_again(client: FlaskClient, stores: Stores) -> None:
    first = post(client)
    stores.uploads.update(first.get_json()["id"], expect=UNFINISHED, state=State.COMPLETED)
    again = post(client)
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count(stores) == 1


def test_a_repeat_that_waits_is_told_the_end(client: FlaskClient, stores: Stores) -> None:
    first = post(client)
    stores.uploads.update(first.get_json()["id"], expect=UNFINISHED, state=State.COMPLETED)
    again = post(client, Prefer="wait=5")
    assert (again.status_code, again.get_json()["state"]) == (200, "completed")
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("data", "query"),
    [(b"2,Other\n", ""), (ROWS, "&dry_run=true"), (ROWS, "&filename=other.csv")],
)
def test_another_request_with_the_same_key_is_refused(
    client: FlaskClient, stores: Stores, data: bytes, query: str
) -> None:
    post(client)
    answer = post(client, data, query)
    assert answer.status_code == 422
    assert answer.get_json()["type"].endswith("idempotency-key-reused")
    assert "Idempotent-Replayed" not in answer.headers
    assert count(stores) == 1


def test_the_key_of_somebody_else_is_another_key(client: FlaskClient, stores: Stores) -> None:
    first, other = post(client), post(client, Authorization=BOB["Authorization"])
    assert first.get_json()["id"] != other.get_json()["id"]
    assert count(stores) == 2


def test_a_request_in_flight_makes_its_repeat_wait(client: FlaskClient, stores: Stores) -> None:
    stores.uploads.claim_key("ana", "key 1", 60)
    answer = post(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    stores.uploads.release_key("ana", "key 1")
    assert post(client).status_code == 202


def test_a_refused_request_frees_its_key(client: FlaskClient) -> None:
    assert post(client, b"%PDF-1.7").status_code == 415
    assert post(client).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel".encode().decode("latin-1")])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    answer = post(client, Idempotency_Key=key)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "Idempotency-Key"


def test_the_same_key_at_once_gives_one_upload(
    make_app: Callable[..., OpenAPI], stores: Stores
) -> None:
    app = make_app()

    def send(_: int) -> tuple[int, str | None]:
        answer = post(app.test_client())
        return answer.status_code, answer.get_json().get("id")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(24)))
    assert {status for status, _ in answers} <= {202, 409}
    assert len({upload_id for status, upload_id in answers if status == 202}) == 1
    assert count(stores) == 1


class Meanwhile(io.BytesIO):
    """A body while whose reading something else happens."""

    def __init__(self, content: bytes, happen: Callable[[], None]) -> None:
        super().__init__(content)
        self._happen = [happen]

    def read(self, size: int | None = -1) -> bytes:
        while self._happen:
            self._happen.pop()()
        return super().read(size)


@pytest.mark.parametrize(("content", "status"), [(ROWS, 202), (b"9,Other\n", 422)])
def test_a_call_whose_claim_ran_out_still_makes_no_second_upload(
    client: FlaskClient, stores: Stores, content: bytes, status: int
) -> None:
    quicker: list[Any] = []

    def be_quicker() -> None:
        stores.uploads.release_key("ana", "key 1")
        quicker.append(post(client))

    answer = client.post(
        "/v1/uploads?table=jobs",
        input_stream=Meanwhile(content, be_quicker),
        headers={**ANA, **CSV, **KEY, "Content-Length": str(len(content))},
    )
    assert [other.status_code for other in quicker] == [202]
    assert answer.status_code == status
    assert count(stores) == 1


def test_a_claim_is_held_for_as_long_as_the_body_takes(stores: Stores) -> None:
    time = 0.0
    renewals: list[float] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            if name == "renew_key":
                renewals.append(time)
            return getattr(stores.uploads, name)

    with claimed(Watched(), "ana", "k", clock=lambda: time) as renew:
        for _ in range(100):
            time += CLAIM_SECONDS / 50
            renew()
        with pytest.raises(KeyTaken):
            stores.uploads.claim_key("ana", "k", 1)
    gaps = [later - sooner for sooner, later in pairwise(renewals)]
    assert len(renewals) > 5
    assert max(gaps) < CLAIM_SECONDS / 2
