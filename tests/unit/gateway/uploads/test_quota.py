"""Each user sends so many bytes in a day, whatever is said of them beforehand."""

import gzip
import io
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.errors import TooManyBytes
from gateway.uploads.quota import DayQuota
from muster.contracts.uploads import now
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ANA, BOB, CSV, stored_files
from tests.unit.gateway.uploads.test_admission import ROWS, Untouched, ids, refused
from tests.waiting import DEADLINE_SECONDS

MakeApp = Callable[..., OpenAPI]
LIMIT = 3 * len(ROWS)
NOON = datetime(2021, 11, 7, 12, tzinfo=UTC)


def post(
    client: FlaskClient, body: bytes = ROWS, who: Mapping[str, str] = ANA, **headers: str
) -> Any:
    every = {**CSV, **who, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.post("/v1/uploads?table=jobs", data=body, headers=every)


def post_unread(client: FlaskClient, size: int = len(ROWS), **headers: str) -> Any:
    every = {**CSV, **ANA, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.post(
        "/v1/uploads?table=jobs",
        input_stream=Untouched(),
        headers=every,
        environ_overrides={"CONTENT_LENGTH": str(size)},
    )


def test_a_user_sends_so_many_bytes_a_day(
    make_app: MakeApp, stores: Stores, tmp_path: Path
) -> None:
    client, before = make_app(bytes_per_user_a_day=LIMIT).test_client(), refused("bytes")
    accepted = [post(client) for _ in range(3)]
    sent = [each.get_json()["id"] for each in accepted]
    said = [each.headers["RateLimit"].split(";t=")[0] for each in accepted]
    assert said == [f'"bytes";r={LIMIT - each * len(ROWS)}' for each in (1, 2, 3)]
    answer = post_unread(client)
    assert answer.status_code == 429
    assert answer.headers["RateLimit"] == f'"bytes";r=0;t={answer.headers["Retry-After"]}'
    policy = f'"bytes";q={LIMIT};qu="content-bytes";w=86400'
    assert answer.headers["RateLimit-Policy"] == policy
    left = timedelta(seconds=int(answer.headers["Retry-After"]))
    assert (now() + left).date() == now().date() + timedelta(days=1)
    problem = answer.get_json()
    assert problem["type"] == "/docs/errors#too-many-bytes"
    assert f"{LIMIT} bytes" in problem["detail"]
    assert (sorted(ids(stores)), stored_files(tmp_path)) == (sorted(sent), sorted(sent))
    assert refused("bytes") == before + 1
    assert post(client, who=BOB).status_code == 202


def test_without_a_limit_nothing_is_asked(
    make_app: MakeApp, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(stores.uploads), "bytes_of_day")
    answer = post(make_app().test_client())
    assert answer.status_code == 202
    assert "RateLimit" not in answer.headers


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_what_nobody_announced_is_counted_while_it_comes(
    make_app: MakeApp, stores: Stores, tmp_path: Path, coding: str
) -> None:
    client = make_app(bytes_per_user_a_day=LIMIT).test_client()
    rows = ROWS * 4
    chunked: dict[str, Any] = {
        "input_stream": io.BytesIO(gzip.compress(rows) if coding == "gzip" else rows),
        "headers": {**ANA, **CSV, "Content-Encoding": coding, "Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    }
    answer = client.post("/v1/uploads?table=jobs", **chunked)
    assert answer.status_code == 429
    assert (ids(stores), stored_files(tmp_path)) == ([], [])
    # Nothing of it counts.
    assert [post(client).status_code for _ in range(4)] == [202, 202, 202, 429]


def test_what_was_accepted_before_is_told_again(make_app: MakeApp, stores: Stores) -> None:
    client = make_app(bytes_per_user_a_day=len(ROWS)).test_client()
    first = post(client, Idempotency_Key="one")
    again = post(client, Idempotency_Key="one")
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert post_unread(client, Idempotency_Key="other").status_code == 429
    assert len(ids(stores)) == 1


class Slowly(io.BytesIO):
    """A body whose end is waited for."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.is_coming, self.go_on = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.is_coming.set()
        assert self.go_on.wait(DEADLINE_SECONDS)
        return super().read(size)


def test_what_comes_at_once_counts_together(make_app: MakeApp, stores: Stores) -> None:
    app = make_app(bytes_per_user_a_day=LIMIT)
    body, statuses = Slowly(ROWS * 2), list[int]()

    def send() -> None:
        answer = app.test_client().post(
            "/v1/uploads?table=jobs", input_stream=body, headers={**ANA, **CSV}
        )
        statuses.append(answer.status_code)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert body.is_coming.wait(DEADLINE_SECONDS)
        assert post_unread(app.test_client(), 2 * len(ROWS)).status_code == 429
        assert post(app.test_client()).status_code == 202
    finally:
        body.go_on.set()
        sender.join(DEADLINE_SECONDS)
    assert statuses == [202]
    assert post_unread(app.test_client()).status_code == 429
    assert len(ids(stores)) == 2


def test_what_was_accepted_counts_for_the_one_that_began_before(
    make_app: MakeApp, stores: Stores
) -> None:
    app = make_app(bytes_per_user_a_day=LIMIT)
    body, statuses = Slowly(ROWS * 2), list[int]()

    def send() -> None:
        answer = app.test_client().post(
            "/v1/uploads?table=jobs",
            input_stream=body,
            headers={**ANA, **CSV, "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        statuses.append(answer.status_code)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert body.is_coming.wait(DEADLINE_SECONDS)
        assert post(app.test_client(), ROWS * 2).status_code == 202
    finally:
        body.go_on.set()
        sender.join(DEADLINE_SECONDS)
    assert statuses == [429]
    assert len(ids(stores)) == 1


def test_bytes_of_a_file_that_ends_first_count_for_the_one_that_began_first(
    stores: Stores,
) -> None:
    quota = DayQuota(stores.uploads, 10, clock=lambda: NOON)
    early, late = quota.begin("ana", 0), quota.begin("ana", 0)
    assert early is not None
    assert late is not None
    late.receive(6)
    stores.uploads.accept(an_upload(owner="ana", size=6, submitted_at=NOON))
    late.keep()
    late.end()
    early.receive(4)
    # And only once for the one that begins after it.
    third = quota.begin("ana", 0)
    assert third is not None
    with pytest.raises(TooManyBytes):
        early.receive(1)
    early.end()
    third.receive(4)
    with pytest.raises(TooManyBytes):
        third.receive(1)
    third.end()
    assert not quota._coming


def test_a_day_ends_at_midnight(stores: Stores) -> None:
    time = NOON
    quota = DayQuota(stores.uploads, 10, clock=lambda: time)
    stores.uploads.accept(an_upload(owner="ana", size=10, submitted_at=NOON))
    with pytest.raises(TooManyBytes) as refusal:
        quota.begin("ana", 1)
    assert refusal.value.retry_after == 12 * 3600 + 1
    time += timedelta(hours=12)
    assert quota.begin("ana", 10) is not None


def test_a_store_that_is_away_costs_no_bytes(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = DayQuota(stores.uploads, 10, clock=lambda: NOON)

    def away(*_arguments: object) -> int:
        raise StoreUnavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(stores.uploads, "bytes_of_day", away)
        with pytest.raises(StoreUnavailable):
            quota.begin("ana", 10)
    assert quota.begin("ana", 10) is not None
