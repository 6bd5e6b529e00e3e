from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from muster.database import Database, open_database
from muster.http.service import provided
from muster.http.tokens import InvalidToken, Principal, authenticate_with
from queries.app import create_app
from queries.services import Services
from queries.settings import Settings
from tests.unit.queries import employment


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    employment.create(database)
    yield database
    database.close()


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    """The service, with a verifier that reads the permissions from the token itself."""
    app = create_app(Settings(employment_database_url=database_url))
    authenticate_with(app, _verify)
    yield app
    database = provided(app, Services).database
    assert isinstance(database, Database)
    database.close()


@pytest.fixture
def client(app: Flask, database: Database) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer queries:read"
    return client


def _verify(token: str) -> Principal:
    if token == "forged":
        raise InvalidToken
    return Principal("1", "ana@example.com", frozenset(token.split(",")), 0, token, 1)
