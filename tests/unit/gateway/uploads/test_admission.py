"""Uploads that there is no place for are refused before they are read, and nothing is kept."""

import io
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from prometheus_client import REGISTRY

from gateway.errors import QueueTooLong
from gateway.uploads.admission import Admission
from muster.contracts.uploads import UNFINISHED, State, Upload, now
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ANA, BOB, CSV, stored_files
from tests.waiting import DEADLINE_SECONDS

ROWS = b"1,Recruiter\n"
MakeApp = Callable[..., OpenAPI]


class Untouched(io.BytesIO):
    """A body that nobody may read."""

    def read(self, _size: int | None = -1) -> bytes:
        raise AssertionError("the body was read")


def post(client: FlaskClient, who: Mapping[str, str] = ANA, **headers: str) -> Any:
    every = {**who, **CSV, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.post("/v1/uploads?table=jobs", data=ROWS, headers=every)


def post_unread(client: FlaskClient, who: Mapping[str, str] = ANA, **headers: str) -> Any:
    every = {**who, **CSV, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.post(
        "/v1/uploads?table=jobs",
        input_stream=Untouched(),
        headers={**every, "Content-Length": str(len(ROWS))},
    )


def ids(stores: Stores) -> list[str]:
    found = stores.uploads.find(owner=None, state=None, table=None, before=None, limit=100)
    return [upload.id for upload in found]


def finish(stores: Stores, upload_id: str) -> None:
    stores.uploads.update(upload_id, expect=UNFINISHED, state=State.COMPLETED)


def accept_waiting(stores: Stores, seconds: float) -> None:
    submitted_at = now() - timedelta(seconds=seconds)
    stores.uploads.accept(an_upload(id="waiting", owner="eva", submitted_at=submitted_at))


def refused(reason: str) -> float:
    value = REGISTRY.get_sample_value("muster_uploads_refused_total", {"reason": reason})
    assert value is not None
    return value


def test_a_user_has_a_share_of_what_waits(
    make_app: MakeApp, stores: Stores, tmp_path: Path
) -> None:
    client, before = make_app(uploads_per_user=2).test_client(), refused("share")
    accepted = [post(client) for _ in range(2)]
    sent = [each.get_json()["id"] for each in accepted]
    answer = post_unread(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    left = [each.headers["RateLimit"] for each in (*accepted, answer)]
    assert left == ['"uploads";r=1', '"uploads";r=0', '"uploads";r=0']
    assert answer.headers["RateLimit-Policy"] == '"uploads";q=2;qu="concurrent-requests"'
    problem = answer.get_json()
    assert problem["type"] == "/docs/errors#too-many-uploads"
    assert problem["detail"].startswith("As many of your uploads as may wait at once (2) are")
    assert (sorted(ids(stores)), stored_files(tmp_path)) == (sorted(sent), sorted(sent))
    assert refused("share") == before + 1
    # Nobody else feels it, and nor does the user once one of them is final.
    assert post(client, BOB).status_code == 202
    finish(stores, sent[0])
    assert [post(client).status_code, post_unread(client).status_code] == [202, 429]


def test_without_a_share_or_a_bound_nothing_is_asked(
    make_app: MakeApp, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for question in ("count_unfinished", "oldest_queued"):
        monkeypatch.delattr(type(stores.uploads), question)
    client = make_app().test_client()
    assert [post(client).status_code for _ in range(3)] == [202] * 3


def test_what_was_accepted_before_needs_no_place(make_app: MakeApp, stores: Stores) -> None:
    client = make_app(uploads_per_user=1).test_client()
    first = post(client, Idempotency_Key="one")
    again = post(client, Idempotency_Key="one")
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert post_unread(client, Idempotency_Key="other").status_code == 429
    assert post(client, BOB, Idempotency_Key="one").status_code == 202
    assert post_unread(client, BOB, Idempotency_Key="other").status_code == 429
    assert len(ids(stores)) == 2
    # A refusal keeps no key.
    finish(stores, first.get_json()["id"])
    assert post(client, Idempotency_Key="other").status_code == 202


def test_a_request_that_is_refused_for_another_reason_takes_no_place(make_app: MakeApp) -> None:
    client = make_app(uploads_per_user=1).test_client()
    for _ in range(2):
        pdf = client.post("/v1/uploads?table=jobs", data=b"%PDF-1.7", headers={**ANA, **CSV})
        assert pdf.status_code == 415
    assert post(client).status_code == 202


def test_uploads_that_come_at_once_share_the_places_of_their_user(
    make_app: MakeApp, stores: Stores
) -> None:
    """Each has been let in before any is accepted; so many as there are places for."""
    app = make_app(uploads_per_user=2)
    coming, go_on = threading.Semaphore(0), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            coming.release()
            assert go_on.wait(DEADLINE_SECONDS)
            return super().read(size)

    statuses: list[int] = []

    def send() -> None:
        answer = app.test_client().post(
            "/v1/uploads?table=jobs",
            input_stream=Slow(ROWS),
            headers={**ANA, **CSV, "Content-Length": str(len(ROWS))},
        )
        statuses.append(answer.status_code)

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    try:
        assert all(coming.acquire(timeout=DEADLINE_SECONDS) for _ in senders)
        assert post_unread(app.test_client()).status_code == 429
        assert post(app.test_client(), BOB).status_code == 202
    finally:
        go_on.set()
    for sender in senders:
        sender.join(DEADLINE_SECONDS)
    assert statuses == [202, 202]
    assert len(ids(stores)) == 3


def test_while_the_queue_is_too_long_no_more_is_taken(
    make_app: MakeApp, stores: Stores, tmp_path: Path
) -> None:
    accept_waiting(stores, seconds=60)

    def client_within(seconds: float) -> FlaskClient:
        return make_app(max_queued_seconds=seconds).test_client()

    client, before = client_within(30), refused("queue")
    for who in (ANA, BOB):
        answer = post_unread(client, who)
        assert answer.status_code == 503
        # As long as the oldest is overdue, which grows while it waits.
        assert 30 <= int(answer.headers["Retry-After"]) <= 60
        problem = answer.get_json()
        assert problem["type"] == "/docs/errors#queue-too-long"
        assert "more than 30 seconds" in problem["detail"]
    assert (ids(stores), stored_files(tmp_path)) == (["waiting"], [])
    assert refused("queue") == before + 2
    assert post(client_within(3600)).status_code == 202
    # What is being loaded waits no longer, however long it takes.
    stores.uploads.update("waiting", expect=UNFINISHED, state=State.LOADING)
    assert post(client_within(30)).status_code == 202


def test_what_was_accepted_before_is_told_again_however_long_the_queue_is(
    make_app: MakeApp, stores: Stores
) -> None:
    first = post(make_app(max_queued_seconds=30).test_client(), Idempotency_Key="one")
    accept_waiting(stores, seconds=60)
    # The oldest is the one of lowest sequence, which is final here.
    finish(stores, first.get_json()["id"])
    client = make_app(max_queued_seconds=30).test_client()
    again = post(client, Idempotency_Key="one")
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert post_unread(client, Idempotency_Key="other").status_code == 503


def test_the_store_is_asked_for_the_oldest_once_a_second(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, asked = 100.0, 0
    oldest_queued = stores.uploads.oldest_queued

    def counted() -> Upload | None:
        nonlocal asked
        asked += 1
        return oldest_queued()

    def is_taken() -> bool:
        try:
            admission.take_place("ana", None).leave()
        except QueueTooLong:
            return False
        return True

    monkeypatch.setattr(stores.uploads, "oldest_queued", counted)
    admission = Admission(stores.uploads, 0, 30, clock=lambda: time)
    assert [is_taken() for _ in range(9)] == [True] * 9
    accept_waiting(stores, seconds=60)
    assert (is_taken(), asked) == (True, 1)
    time += 1
    assert [is_taken() for _ in range(9)] == [False] * 9
    assert asked == 2
    finish(stores, "waiting")
    time += 1
    assert (is_taken(), asked) == (True, 3)


def test_a_store_that_is_away_costs_no_place(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = Admission(stores.uploads, uploads_per_user=1, max_queued_seconds=0)

    def away(*_arguments: object) -> int:
        raise StoreUnavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(stores.uploads, "count_unfinished", away)
        with pytest.raises(StoreUnavailable):
            admission.take_place("ana", None)
    admission.take_place("ana", None).leave()


def test_who_floods_is_slowed_at_the_door_and_others_wait_for_a_share_at_most(
    make_app: MakeApp, stores: Stores
) -> None:
    client = make_app(uploads_per_user=3).test_client()
    assert [post(client).status_code for _ in range(20)] == [202] * 3 + [429] * 17
    sent = post(client, BOB).get_json()["id"]
    places = []
    # While each is loaded the flood goes on: Ana has the place of what is done, behind Bob.
    while sent in (waiting := [each.id for each in stores.uploads.unfinished(0, 100)]):
        places.append(waiting.index(sent) + 1)
        # It leaves the queue once it is announced.
        stores.uploads.update(waiting[0], expect=UNFINISHED, state=State.COMPLETED, announced=True)
        statuses = [post(client).status_code for _ in range(5)]
        assert statuses == ([429] * 5 if waiting[0] == sent else [202] + [429] * 4)
    assert places == [4, 3, 2, 1]
