"""Prefer: wait, and Server-Sent Events."""

# ruff: noqa: ARG002 - fakes take what their ports say

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.api.requests import preferred_wait
from gateway.services import Services
from gateway.uploads.follow import HEARTBEAT_SECONDS, UploadFollower
from muster.contracts.uploads import UNFINISHED, State, Upload
from muster.http.service import provided
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, BOB, CSV, WordTokens
from tests.waiting import eventually


def post(client: FlaskClient, **headers: str) -> Any:
    return client.post("/v1/uploads?table=jobs", data=b"1,a\n", headers={**ANA, **CSV, **headers})


@contextmanager
def finishing(stores: Stores) -> Iterator[None]:
    """Uploads that appear meanwhile are completed, as a loader would."""
    stop = threading.Event()

    def finish() -> None:
        while not stop.wait(0.01):
            for upload in stores.uploads.find(
                owner=None, state=State.QUEUED, table=None, before=None, limit=10
            ):
                stores.uploads.update(
                    upload.id, expect=UNFINISHED, state=State.LOADING, progress=0.5
                )
                stores.uploads.update(
                    upload.id, expect=UNFINISHED, state=State.COMPLETED, progress=1.0
                )

    thread = threading.Thread(target=finish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_post_that_waits_answers_with_the_final_upload(
    client: FlaskClient, stores: Stores
) -> None:
    with finishing(stores):
        answer = post(client, Prefer="wait=60")
    assert (answer.status_code, answer.get_json()["state"]) == (200, "completed")
    assert answer.headers["Preference-Applied"] == "wait=60"
    assert answer.headers["Location"] == answer.get_json()["links"]["self"]


def test_a_post_that_waited_in_vain_answers_as_one_that_did_not(client: FlaskClient) -> None:
    answer = post(client, Prefer="wait=0")
    assert (answer.status_code, answer.get_json()["state"]) == (202, "queued")


def test_a_get_waits_too(client: FlaskClient, stores: Stores) -> None:
    path = post(client).headers["Location"]
    with finishing(stores):
        answer = client.get(path, headers={**ANA, "Prefer": "respond-async, wait=60"})
    assert (answer.status_code, answer.get_json()["state"]) == (200, "completed")


def test_a_wait_is_passed_over_when_too_many_wait(make_app: Callable[..., OpenAPI]) -> None:
    client = make_app(max_waiters=0).test_client()
    answer = post(client, Prefer="wait=30")
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    # Nothing was loaded yet, so how long it takes is not known.
    assert answer.headers["Retry-After"] == "1"
    read = client.get(answer.headers["Location"], headers={**ANA, "Prefer": "wait=30"})
    assert (read.status_code, read.headers["Retry-After"]) == (200, "1")
    for prefer in ("", "wait=0"):
        read = client.get(answer.headers["Location"], headers={**ANA, "Prefer": prefer})
        assert "Retry-After" not in read.headers


def test_what_is_accepted_and_not_final_says_when_to_ask_again(
    client: FlaskClient, stores: Stores
) -> None:
    posted = post(client)
    assert (posted.status_code, posted.headers["Retry-After"]) == (202, "1")
    path = posted.headers["Location"]
    cancelled = client.delete(path, headers=ANA)
    assert (cancelled.status_code, cancelled.headers["Retry-After"]) == (202, "1")
    with finishing(stores):
        waited = post(client, Prefer="wait=60")
    assert waited.status_code == 200
    assert "Retry-After" not in waited.headers


def test_a_wait_that_the_server_ends_early_says_when_to_ask_again(app: OpenAPI) -> None:
    client = app.test_client()
    path = post(client).headers["Location"]
    provided(app, Services).follower._stopping.set()
    answer = client.get(path, headers={**ANA, "Prefer": "wait=60"})
    assert "Preference-Applied" not in answer.headers
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('respond-async, wait="5"; x=y', 5),
        ("wait=1000", 60),
        ("wait=99999999999999999999", 60),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait", None),
        ("respond-async", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_wait_that_is_one_counts(header: str | None, seconds: int | None) -> None:
    assert preferred_wait(header) == seconds


def events(text: str) -> list[dict[str, Any]]:
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("event")]
    assert all(block[0] == "event: upload" for block in blocks)
    assert all(block[1].startswith("id: ") for block in blocks)
    return [json.loads(block[2].removeprefix("data: ")) for block in blocks]


def test_events_follow_an_upload_to_its_final_state(client: FlaskClient, stores: Stores) -> None:
    path = post(client).headers["Location"]
    with finishing(stores):
        answer = client.get(f"{path}/events", headers=ANA)
        followed = events(answer.get_data(as_text=True))
    assert followed[-1] == client.get(path, headers=ANA).get_json()
    assert followed[-1]["state"] == "completed"
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"


def test_events_of_a_final_upload_are_one(client: FlaskClient, stores: Stores) -> None:
    path = post(client).headers["Location"]
    stores.uploads.update(path.rpartition("/")[2], expect=UNFINISHED, state=State.FAILED)
    answer = client.get(f"{path}/events", headers=ANA)
    assert [event["state"] for event in events(answer.get_data(as_text=True))] == ["failed"]


def test_followers_have_places_that_they_give_back(client: FlaskClient, stores: Stores) -> None:
    path = post(client).headers["Location"]
    following = [client.get(f"{path}/events", headers=ANA, buffered=False) for _ in range(2)]
    refused = client.get(f"{path}/events", headers=ANA)
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    following[0].close()
    stores.uploads.update(path.rpartition("/")[2], expect=UNFINISHED, state=State.FAILED)
    assert client.get(f"{path}/events", headers=ANA).status_code == 200
    following[1].close()


def tokens_of(app: OpenAPI) -> WordTokens:
    tokens = provided(app, Services).tokens
    assert isinstance(tokens, WordTokens)
    return tokens


@contextmanager
def ended_soon(app: OpenAPI) -> Iterator[None]:
    """Ana's token ends as soon as somebody waits, as it does when she is disabled."""

    def end() -> None:
        eventually(lambda: provided(app, Services).follower._waiters.total() == 1)
        tokens_of(app).ended.add(ANA["Authorization"].split()[1])

    ending = threading.Thread(target=end)
    ending.start()
    yield
    ending.join()


def test_events_end_when_the_token_does(app: OpenAPI, client: FlaskClient) -> None:
    path = post(client).headers["Location"]
    with ended_soon(app):
        answer = client.get(f"{path}/events", headers=ANA)
        followed = events(answer.get_data(as_text=True))
    assert [event["state"] for event in followed] == ["queued"]


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_wait_ends_when_the_token_does(app: OpenAPI, client: FlaskClient, verb: str) -> None:
    waiting = {**ANA, **CSV, "Prefer": "wait=60"}
    path = post(client).headers["Location"] if verb == "GET" else "/v1/uploads?table=jobs"
    began = time.monotonic()
    with ended_soon(app):
        answer = client.open(path, method=verb, data=b"1,a\n", headers=waiting)
    # The wait that was asked for is twice as long.
    assert time.monotonic() - began < 30
    assert answer.status_code == (200 if verb == "GET" else 202)
    assert answer.get_json()["state"] == "queued"
    assert "Preference-Applied" not in answer.headers


def test_one_user_never_takes_all_places(make_app: Callable[..., OpenAPI], stores: Stores) -> None:
    client = make_app(max_waiters=3, max_waiters_per_user=2).test_client()
    ana, bob = (post(client, **who).headers["Location"] for who in (ANA, BOB))
    following = [client.get(f"{ana}/events", headers=ANA, buffered=False) for _ in range(2)]
    refused = client.get(f"{ana}/events", headers=ANA)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert "2 requests of yours wait for uploads" in refused.get_json()["detail"]
    # A wait is a preference: it is passed over, and said so.
    at_once = client.get(ana, headers={**ANA, "Prefer": "wait=30"})
    assert at_once.status_code == 200
    assert "Preference-Applied" not in at_once.headers
    other = client.get(f"{bob}/events", headers=BOB, buffered=False)
    assert other.status_code == 200
    for stream in (*following, other):
        stream.close()
    again = client.get(f"{ana}/events", headers=ANA, buffered=False)
    assert again.status_code == 200
    again.close()


class Unchanging:
    """A store in which nothing happens but time."""

    def __init__(self) -> None:
        self.time = 0.0

    def get(self, upload_id: str) -> Upload:
        raise NotImplementedError

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        self.time += timeout
        return self.upload

    upload: Upload


@pytest.fixture
def unchanging(client: FlaskClient, stores: Stores) -> Unchanging:
    quiet = Unchanging()
    quiet.upload = stores.uploads.get(post(client).get_json()["id"])
    return quiet


def test_a_quiet_upload_still_gives_a_sign_of_life(unchanging: Unchanging) -> None:
    waiting = UploadFollower(unchanging, 1, 1, threading.Event(), lambda: unchanging.time)  # type: ignore[arg-type]
    changes = waiting.changes(unchanging.upload, lambda: False)
    assert next(changes) is unchanging.upload
    assert next(changes) is None
    assert HEARTBEAT_SECONDS <= unchanging.time < HEARTBEAT_SECONDS + 1


def test_followers_end_when_the_server_stops(unchanging: Unchanging) -> None:
    stopping = threading.Event()
    waiting = UploadFollower(unchanging, 1, 1, stopping, lambda: unchanging.time)  # type: ignore[arg-type]
    changes = waiting.changes(unchanging.upload, lambda: False)
    next(changes)
    stopping.set()
    assert list(changes) == []


def test_followers_end_when_their_client_has_gone(unchanging: Unchanging) -> None:
    waiting = UploadFollower(unchanging, 1, 1, threading.Event(), lambda: unchanging.time)  # type: ignore[arg-type]
    changes = waiting.changes(unchanging.upload, lambda: unchanging.time > 3)
    assert list(changes) == [unchanging.upload]
