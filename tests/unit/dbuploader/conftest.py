from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dbuploader.app import create_app
from dbuploader.scratch import Scratch
from dbuploader.services import Services
from dbuploader.settings import Settings
from muster.http.service import provided
from muster.http.tokens import InvalidToken, Principal, authenticate_with
from muster.worker.retry import RetryPolicy
from tests.adapters import closed_adapters
from tests.unit.dbuploader.suite import Moments, Suite


@pytest.fixture
def migrations() -> str | None:
    """Its databases may have been another test's before."""
    return "dbuploader.migrations"


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """A folder for files without a name."""
    with Scratch(tmp_path_factory.mktemp("scratch")) as scratch:
        yield scratch


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads report at each step of theirs and never between, however long one takes.

    What they wait for is back at once.
    """
    monkeypatch.setattr("dbuploader.uploads.progress._REPORT_SECONDS", float("inf"))
    at_once = RetryPolicy(first=timedelta(milliseconds=1), longest=timedelta(seconds=5))
    monkeypatch.setattr("dbuploader.uploads.retry._POLICY", at_once)


@pytest.fixture
def empty_suite(tmp_path: Path, database_url: str, unhurried: None) -> Iterator[Suite]:
    suite = Suite(tmp_path, database_url)
    yield suite
    suite.close()


@pytest.fixture(scope="session")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Moments:
    """What tests begin with, done once."""
    return Moments(tmp_path_factory.mktemp("moments"))


@pytest.fixture
def suite(empty_suite: Suite, moments: Moments) -> Suite:
    """A suite with departments and jobs 1 to 3."""
    moments.begin(empty_suite, Suite.seed)
    return empty_suite


@pytest.fixture
def app(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The HTTP side; a token is `OWNER:PERMISSION,...`."""
    with closed_adapters(monkeypatch, "dbuploader.app", "open_stores"):
        app = create_app(Settings.model_validate(suite.urls))
        authenticate_with(app, _verify)
        yield app
        provided(app, Services).database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client who may write rows."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer ana:rows:write"
    return client


def _verify(token: str) -> Principal:
    owner, _, permissions = token.partition(":")
    if not permissions:
        raise InvalidToken
    return Principal(owner, f"{owner}@example.com", frozenset(permissions.split(",")), 0, token, 1)
