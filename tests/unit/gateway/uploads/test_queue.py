"""Whoever waits for an upload sees its place in the queue."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.services import Services
from gateway.uploads.queue import UploadQueue
from gateway.web.session import COOKIE
from gateway.web.wording import standing
from muster.contracts.upload_document import MOST_PLACES, QueuePlace
from muster.contracts.uploads import UNFINISHED, State, now
from muster.http.service import provided
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ANA, BOB, CSV
from tests.unit.gateway.uploads.test_follow import events
from tests.waiting import eventually


def post(client: FlaskClient, who: Mapping[str, str] = ANA, **headers: str) -> Any:
    sent = client.post("/v1/uploads?table=jobs", data=b"1,a\n", headers={**who, **CSV, **headers})
    return sent.get_json()


def finish(stores: Stores, upload_id: str) -> None:
    stores.uploads.update(upload_id, expect=UNFINISHED, state=State.COMPLETED)


def place(client: FlaskClient, upload: Any, who: Mapping[str, str] = ANA) -> Any:
    return client.get(f"/v1/uploads/{upload['id']}", headers=who).get_json()["queue"]


def test_an_upload_tells_its_place_while_it_waits(client: FlaskClient, stores: Stores) -> None:
    first, second, third = post(client), post(client, BOB), post(client)
    eventually(lambda: place(client, third)["position"] == 3)
    assert place(client, first) == {"position": 1, "since": first["submitted_at"]}
    listed = client.get("/v1/uploads", headers=ANA).get_json()["uploads"]
    assert [upload["queue"]["position"] for upload in listed] == [3, 1]
    finish(stores, first["id"])
    eventually(lambda: place(client, second, BOB)["position"] == 1)
    assert place(client, first) is None
    stores.uploads.update(second["id"], expect=UNFINISHED, state=State.LOADING)
    assert place(client, second, BOB) is None
    eventually(lambda: place(client, third)["position"] == 1)


def test_what_was_accepted_is_told_without_asking_for_its_place(
    client: FlaskClient, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.delattr(type(stores.uploads), "queued")
        assert post(client)["queue"] is None
    assert post(client, Prefer="wait=0")["queue"] is not None


def test_the_store_is_asked_for_the_queue_ten_times_a_second(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, asked = 100.0, 0
    queued = stores.uploads.queued

    def counted(limit: int) -> list[int]:
        nonlocal asked
        asked += 1
        return queued(limit)

    monkeypatch.setattr(stores.uploads, "queued", counted)
    queue = UploadQueue(stores.uploads, lambda: time)
    uploads = [stores.uploads.accept(an_upload(id=f"u-{number}")) for number in range(3)]
    assert [queue.place_of(each) for each in uploads * 9] == [
        QueuePlace(position, uploads[0].submitted_at) for position in (1, 2, 3)
    ] * 9
    # One that came since stands behind those that are known, and one that went has no place.
    newest = stores.uploads.accept(an_upload(id="newest"))
    assert queue.place_of(newest) == QueuePlace(4, newest.submitted_at)
    finish(stores, "u-0")
    assert asked == 1
    time += 0.2
    assert [queue.place_of(each) for each in (uploads[0], newest)] == [
        None,
        QueuePlace(3, newest.submitted_at),
    ]
    assert asked == 2


def test_how_long_an_upload_still_waits_is_told_from_the_last_seconds(stores: Stores) -> None:
    time = 100.0
    queue = UploadQueue(stores.uploads, lambda: time)
    uploads = [stores.uploads.accept(an_upload(id=f"u-{number}")) for number in range(8)]
    # The store is not asked for it.
    assert queue.seconds_left(uploads[7]) == 1
    queue.place_of(uploads[7])
    assert [queue.seconds_left(uploads[each]) for each in (0, 7)] == [1, 5]
    for number in (0, 1):
        finish(stores, f"u-{number}")
    time += 2
    queue.place_of(uploads[7])
    # One a second.
    assert [queue.seconds_left(uploads[each]) for each in (0, 2, 7)] == [1, 1, 6]
    time += 1000
    finish(stores, "u-2")
    assert queue.seconds_left(uploads[7]) == 1
    queue.place_of(uploads[7])
    assert queue.seconds_left(uploads[7]) == 60


def test_places_are_counted_up_to_a_limit() -> None:
    class Crowd:
        def queued(self, limit: int) -> list[int]:
            return list(range(1, 5001))[:limit]

    queue = UploadQueue(Crowd())  # type: ignore[arg-type]
    found = [queue.place_of(an_upload(sequence=each)) for each in (999, 1000, 5000)]
    assert [each and each.position for each in found] == [999, MOST_PLACES, MOST_PLACES]


def test_a_place_that_is_not_known_costs_no_answer(
    client: FlaskClient, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_limit: int) -> list[int]:
        raise StoreUnavailable("away")

    upload = post(client)
    monkeypatch.setattr(stores.uploads, "queued", away)
    assert place(client, upload) is None


def test_events_tell_each_change_of_the_place(app: OpenAPI, stores: Stores) -> None:
    client = app.test_client()
    first, second = post(client), post(client)
    provided(app, Services).queue._looked_at = 0.0
    answer = client.get(f"/v1/uploads/{second['id']}/events", headers=ANA, buffered=False)
    stream = answer.iter_encoded()
    told = events(next(stream).decode())
    finish(stores, first["id"])
    told += events(next(stream).decode())
    answer.close()
    assert [each["queue"]["position"] for each in told] == [2, 1]


@pytest.mark.parametrize(
    ("position", "text"),
    [
        *((1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th")),
        *((13, "13th"), (21, "21st"), (111, "111th"), (113, "113th"), (1000, "1,000th or later")),
    ],
)
def test_the_page_says_it_in_words(position: int, text: str) -> None:
    assert standing(QueuePlace(position, now())) == f"{text} in the queue"
    assert standing(None) == ""


def test_the_pages_tell_the_place_and_since_when_others_wait(
    client: FlaskClient, stores: Stores
) -> None:
    client.set_cookie(COOKIE, "ana+uploads:write+uploads:read")
    path = f"/uploads/{post(client)['id']}"
    assert "1st in the queue" in client.get(path).text
    assert "waiting to be loaded" not in client.get("/").text
    finish(stores, path.rpartition("/")[2])
    late = an_upload(id="late", owner="eva", submitted_at=now() - timedelta(minutes=2))
    stores.uploads.accept(late)
    assert "Files are waiting to be loaded, the first of them since <time" in client.get("/").text
    assert "in the queue" not in client.get(path).text
