"""The auth service over a database of its own, with an administrator and a user."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from pydantic import SecretStr

from auth.accounts import Accounts
from auth.app import create_app
from auth.migrations import migrate
from auth.passwords import Passwords
from auth.repository import UserStore
from auth.services import Services
from auth.settings import Settings
from muster.database import open_database
from muster.http.service import provided
from tests.servers.templates import migrate_by_template
from tests.unit.auth.suite import EMAIL_SECRET, AuthSuite, Clock, PlainHasher, populate


@pytest.fixture
def migrations() -> str | None:
    """Its databases may have been another test's before."""
    return "auth.migrations"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(
        home=tmp_path, auth_database_url=database_url, email_secret=SecretStr(EMAIL_SECRET)
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[UserStore]:
    database = open_database(settings.auth_database_url)
    migrate_by_template(database, migrate)
    yield UserStore(database)
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store: UserStore, clock: Clock) -> Accounts:
    return Accounts(store, Passwords(PlainHasher()), token_seconds=3600, clock=clock)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed by Argon2id as cheaply as it can."""
    cheapest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("auth.app.owasp_hasher", lambda: cheapest)


@pytest.fixture
def app(settings: Settings, store: UserStore, quick_hashes: None) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    provided(app, Services).database.close()
    provided(app, Services).broker.close()


@pytest.fixture
def suite(app: Flask) -> AuthSuite:
    return populate(app)
