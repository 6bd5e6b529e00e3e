"""The gateway is ready once it has auth's keys, whatever else is away."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway.app import build_app
from gateway.settings import Settings
from muster.stores import Stores, open_stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import ADMIN, ANA, CSV, FakeBroker, WordTokens, bearer
from tests.waiting import DEADLINE_SECONDS, eventually_up


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Stores]:
    """A store that can't be had."""
    (tmp_path / "blocked").write_text("no directory")
    with closing(open_stores(f"file://{tmp_path}/blocked/store")) as stores:
        yield stores


@pytest.fixture
def client(settings: Settings, away: Stores, behind: Behind) -> FlaskClient:
    """The gateway's, whose store and broker are away."""
    url = behind.url
    settings = settings.model_copy(
        update=dict.fromkeys(("auth_url", "queries_url", "dbuploader_url", "notification_url"), url)
    )
    return build_app(settings, away, FakeBroker(down=True), WordTokens()).test_client()


def test_without_its_store_the_gateway_is_ready(client: FlaskClient) -> None:
    assert client.get("/readyz").json == {"status": "ready", "checks": ["auth's keys"]}


def test_without_its_store_it_answers_whatever_needs_none(
    client: FlaskClient, behind: Behind
) -> None:
    asks = bearer("ana", "queries:read")
    for path in ("/login", "/docs", "/openapi.json", "/v1/tables"):
        assert client.get(path, headers=asks).status_code == 200, path
    behind.body = b"{}"
    behind.headers["Content-Type"] = "application/json"
    assert client.get("/v1/queries/hires-by-quarter?year=2021", headers=asks).status_code == 200
    assert client.get("/v1/tables/jobs/rows", headers=asks).status_code == 200
    assert client.post("/v1/login", auth=("ana@example.com", "correct horse")).status_code == 200


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/v1/uploads?table=jobs"),
        ("GET", "/v1/uploads"),
        ("GET", f"/v1/uploads/{'0' * 32}"),
    ],
)
def test_without_its_store_it_says_so_to_each_who_needs_it(
    client: FlaskClient, verb: str, path: str
) -> None:
    answer = client.open(path, method=verb, headers={**ANA, **CSV}, data=b"1,Baker\n")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "Retry-After" in answer.headers


def test_metrics_tell_what_is_away(client: FlaskClient) -> None:
    away = dict.fromkeys(("CSV store", "broker"), False)
    there = dict.fromkeys(("auth", "queries", "dbuploader"), True)
    eventually_up(client, "gateway", away | there, ADMIN)


def test_it_is_not_ready_before_it_has_auths_keys_and_stays_ready_without_auth(
    settings: Settings, stores: Stores
) -> None:
    tokens = WordTokens(no_keys=True)
    client = build_app(settings, stores, FakeBroker(), tokens).test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, "auth's keys" in answer.text) == (503, True)
    tokens.no_keys = False
    assert client.get("/readyz").status_code == 200
    tokens.no_keys = True
    assert client.get("/readyz").status_code == 200


def test_uploads_that_wait_for_a_store_that_hangs_leave_room_for_questions(
    settings: Settings, behind: Behind
) -> None:
    settings = settings.model_copy(update={"threads": 4, "queries_url": behind.url})
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as hanging,
        ThreadPoolExecutor(settings.threads) as threads,
    ):
        url = f"mongodb://127.0.0.1:{hanging.getsockname()[1]}/muster"
        options = f"serverSelectionTimeoutMS={1000 * DEADLINE_SECONDS:.0f}&connectTimeoutMS=600000"
        with closing(open_stores(f"{url}?{options}", places=settings.store_places)) as stores:
            app = build_app(settings, stores, FakeBroker(), WordTokens())

            def upload() -> int:
                headers = {**ANA, **CSV}
                path = "/v1/uploads?table=jobs"
                return app.test_client().post(path, headers=headers, data=b"1,Baker\n").status_code

            def ask() -> int:
                headers = bearer("ana", "queries:read")
                path = "/v1/queries/hires-by-quarter?year=2021"
                return app.test_client().get(path, headers=headers).status_code

            uploads = [threads.submit(upload) for _ in range(12)]
            # Behind all of them.
            assert threads.submit(ask).result(DEADLINE_SECONDS) == 200
            waiting = [each for each in uploads if not each.done()]
            assert len(waiting) == settings.store_places == 3
        assert {each.result(DEADLINE_SECONDS) for each in uploads} == {503}
