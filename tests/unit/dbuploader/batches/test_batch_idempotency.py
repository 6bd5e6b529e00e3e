"""Batches with an Idempotency-Key."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from dbuploader.batches.idempotency import (
    AnswerSweep,
    BatchAnswer,
    BatchKey,
    ClaimLost,
    Claims,
    KeyInFlight,
    take_over_claim,
)
from dbuploader.batches.merge import Batches
from dbuploader.db.schema import batch_answers
from dbuploader.services import Services
from muster.contracts.tables import get_table
from muster.database import Database, DatabaseUnavailable
from muster.http.json_text import json_text
from muster.http.service import provide, provided
from tests.unit.dbuploader.suite import BATCH_LIMITS, LossyDatabase, Suite, an_author

JOBS = "/v1/tables/jobs/rows"
ROW = {"id": 9, "job": "Baker"}


def send(client: FlaskClient, row: dict[str, Any], key: str, **headers: str) -> TestResponse:
    return client.post(JOBS, json=[row], headers={"Idempotency-Key": key, **headers})


def test_the_first_answer_comes_again(client: FlaskClient, suite: Suite) -> None:
    first = send(client, ROW, "k")
    suite.load("jobs", "9,Cook\n")

    again = send(client, ROW, "k")

    assert first.json == again.json == {"read": 1, "inserted": 1, "updated": 0, "unchanged": 0}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.text == json_text(again.json)
    assert suite.rows("jobs")[-1] == (9, "Cook")


def test_a_refusal_comes_again_though_it_would_be_taken_now(
    client: FlaskClient, suite: Suite
) -> None:
    url = "/v1/tables/hired_employees/rows"
    hire = {
        "id": 1,
        "name": "Ana",
        "datetime": "2021-07-27T16:02:08Z",
        "department_id": 7,
        "job_id": 2,
    }
    first = client.post(url, json=[hire], headers={"Idempotency-Key": "k"})
    suite.load("departments", "7,Late\n")

    again = client.post(url, json=[hire], headers={"Idempotency-Key": "k"})

    assert first.status_code == again.status_code == 422
    assert first.json is not None
    assert again.json is not None
    assert first.json["errors"] == again.json["errors"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


def test_another_request_with_the_key_is_refused(client: FlaskClient, suite: Suite) -> None:
    send(client, ROW, "k")

    answer = send(client, ROW | {"job": "Cook"}, "k")

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["type"].endswith("idempotency-key-reused")
    assert suite.rows("jobs")[-1] == (9, "Baker")


def test_the_key_is_the_owners_own(client: FlaskClient) -> None:
    send(client, ROW, "k")

    answer = send(client, ROW | {"job": "Cook"}, "k", Authorization="Bearer bo:rows:write")

    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "t\u00e9"])
def test_a_key_is_printable_ascii(client: FlaskClient, key: str) -> None:
    assert send(client, ROW, key).status_code == 422


def test_a_request_in_flight_answers_409(client: FlaskClient, suite: Suite) -> None:
    claim(client, suite)

    answer = send(client, ROW, "k")

    assert answer.status_code == 409
    assert "Retry-After" in answer.headers


def test_an_abandoned_claim_ends(client: FlaskClient, suite: Suite) -> None:
    claim(client, suite)
    long_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=61)
    with suite.database.write() as connection:
        connection.execute(update(batch_answers).values(claimed_at=long_ago))

    assert send(client, ROW, "k").status_code == 200


def test_the_key_is_free_again_after_a_failure(
    app: Flask, client: FlaskClient, suite: Suite
) -> None:
    lossy = LossyDatabase(suite.database)
    provide(
        app, replace(provided(app, Services), batches=Batches(cast(Database, lossy), BATCH_LIMITS))
    )
    gone = DatabaseUnavailable("gone")

    def refuse_from_now_on() -> None:
        lossy.refused = [gone] * 4

    lossy.after_commit = [refuse_from_now_on]

    assert send(client, ROW, "k").status_code == 503
    assert send(client, ROW, "k").status_code == 200


def test_a_lost_answer_to_commit_is_looked_up(
    app: Flask, client: FlaskClient, suite: Suite
) -> None:
    lossy = LossyDatabase(suite.database)
    provide(
        app, replace(provided(app, Services), batches=Batches(cast(Database, lossy), BATCH_LIMITS))
    )
    lossy.lost = [None, DatabaseUnavailable("the answer to COMMIT is lost")]

    answer = send(client, ROW, "k")

    assert answer.json == {"read": 1, "inserted": 1, "updated": 0, "unchanged": 0}


def test_one_of_many_at_once_writes(app: Flask, suite: Suite) -> None:
    barrier = threading.Barrier(8)

    def post(_number: int) -> TestResponse:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer ana:rows:write"
        barrier.wait()
        return send(client, ROW, "k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    written = [answer.json for answer in answers if answer.status_code == 200]
    assert written
    counts = {"read": 1, "inserted": 1, "updated": 0, "unchanged": 0}
    assert all(answer == counts for answer in written)


def test_batches_at_once_keep_the_summary(app: Flask, suite: Suite) -> None:
    def post(number: int) -> int:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer ana:rows:write"
        hire = {
            "id": number % 5 + 1,
            "name": f"Ana {number}",
            "datetime": "2021-07-27T16:02:08Z",
            "department_id": number % 3 + 1,
            "job_id": 1,
        }
        return client.post("/v1/tables/hired_employees/rows", json=[hire]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(40))) == {200}

    assert suite.summary() == suite.expected_summary()


def test_a_claim_that_was_taken_over_writes_nothing(suite: Suite) -> None:
    batches = Batches(suite.database, BATCH_LIMITS)
    key = BatchKey("ana", "k", "fingerprint")
    claims = Claims(suite.database, BATCH_LIMITS.keep_answers)
    mine = claims.claim(key)
    assert isinstance(mine, str)
    with suite.database.write() as connection:
        take_over_claim(connection, key)

    with pytest.raises(ClaimLost), suite.database.write() as connection:
        claims.keep(connection, key, mine, BatchAnswer.accepted({}))
    with pytest.raises(KeyInFlight):
        batches.merge(get_table("jobs"), [ROW], key, an_author())

    assert suite.rows("jobs")[-1] == (3, "Editor")


def claim(client: FlaskClient, suite: Suite) -> None:
    """Have the key `k` claimed by a request that has not been answered."""
    send(client, ROW, "k")
    with suite.database.write() as connection:
        connection.execute(update(batch_answers).values(status=None, body=None))


def make_older(suite: Suite, hours: float) -> None:
    long_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=hours)
    with suite.database.write() as connection:
        connection.execute(update(batch_answers).values(claimed_at=long_ago))


def kept_keys(suite: Suite) -> list[str]:
    with suite.database.read() as connection:
        return sorted(connection.scalars(select(batch_answers.c.idempotency_key)))


def test_an_answer_is_kept_for_a_day(client: FlaskClient, suite: Suite) -> None:
    first = send(client, ROW, "k")
    make_older(suite, 23.9)
    assert send(client, ROW, "k").json == first.json

    make_older(suite, 24)
    other = ROW | {"job": "Cook"}

    for _ in range(2):
        answer = send(client, other, "k")
        assert answer.json == {"read": 1, "inserted": 0, "updated": 1, "unchanged": 0}


def test_old_answers_are_removed_once_an_hour(client: FlaskClient, suite: Suite) -> None:
    now = [0.0]
    lossy = LossyDatabase(suite.database)
    term = BATCH_LIMITS.keep_answers
    sweep = AnswerSweep(cast(Database, lossy), term, clock=lambda: now[0])
    send(client, ROW, "old")
    make_older(suite, 24.1)
    send(client, ROW, "new")

    lossy.refused = [DatabaseUnavailable("away")]
    sweep.run_if_due()
    sweep.run_if_due()
    assert kept_keys(suite) == ["new", "old"]
    now[0] = 3600.0
    sweep.run_if_due()
    assert kept_keys(suite) == ["new"]


def test_an_answer_that_a_former_version_kept_is_given_again(
    client: FlaskClient, suite: Suite
) -> None:
    bad = {"id": "x", "job": "Baker"}
    first = send(client, bad, "k")
    assert first.json is not None
    with suite.database.write() as connection:
        connection.execute(update(batch_answers).values(body=json.dumps(first.json["errors"])))

    again = send(client, bad, "k")

    assert again.json is not None
    assert (again.status_code, again.json["errors"]) == (422, first.json["errors"])


def test_what_is_kept_of_a_refusal_is_bounded(client: FlaskClient, suite: Suite) -> None:
    rows = [{f"c{number}-{place}": "x" for place in range(150)} for number in range(1000)]
    answer = client.post(JOBS, json=rows, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422
    with suite.database.read() as connection:
        body = connection.scalars(select(batch_answers.c.body)).one()
    assert body is not None
    assert len(body) < 300_000
    assert len(answer.data) < 300_000
