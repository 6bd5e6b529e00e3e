"""The gateway's app over the real stores, a broker that remembers, and tokens made of words."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.app import build_app
from gateway.services import Services
from gateway.settings import Settings
from muster.http.service import provided
from muster.stores import Stores, open_stores
from tests.unit.gateway.behind import Behind, serve_behind
from tests.unit.gateway.fakes import FakeBroker, WordTokens


@pytest.fixture(scope="session")
def noting_auth() -> Iterator[str]:
    """The URL of an auth that notes what it is told, and is away for all else."""
    with serve_behind() as auth:
        auth.status = 503
        yield auth.url


@pytest.fixture
def settings(tmp_path: Path, noting_auth: str) -> Settings:
    return Settings(
        home=tmp_path,
        auth_url=noting_auth,
        csv_store_url=f"file://{tmp_path}/store",
        max_upload_bytes=1_000_000,
        max_waiters=2,
    )


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    stores = open_stores(settings.csv_store_url)
    yield stores
    stores.close()


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def make_app(settings: Settings, stores: Stores, broker: FakeBroker) -> Callable[..., OpenAPI]:
    def make(**changes: object) -> OpenAPI:
        changed = settings.model_copy(update=changes)
        return build_app(changed, stores, broker, WordTokens())

    return make


@pytest.fixture
def app(make_app: Callable[..., OpenAPI]) -> OpenAPI:
    return make_app()


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def behind() -> Iterator[Behind]:
    with serve_behind() as behind:
        yield behind


@pytest.fixture
def client_with_behind(make_app: Callable[..., OpenAPI], behind: Behind) -> Iterator[FlaskClient]:
    url = behind.url
    app = make_app(auth_url=url, queries_url=url, dbuploader_url=url, notification_url=url)
    yield app.test_client()
    for upstream in provided(app, Services).upstreams:
        upstream.close()
