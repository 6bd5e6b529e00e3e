"""The schema's history leads to the schema that the code expects."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from auth.app import create_app
from auth.migrations import migrate
from auth.repository import UserStore
from auth.schema import metadata
from auth.services import Services
from auth.settings import Settings
from auth.users import StoredUser
from muster.database import open_database
from muster.http.service import provided
from tests.unit.auth.suite import PASSWORD, AuthSuite, new_user
from tests.waiting import eventually_up


@pytest.fixture
def migrations() -> str | None:
    """None have run on a database of a test here."""
    return None


def test_the_migrated_schema_is_that_of_the_code(settings: Settings) -> None:
    database = open_database(settings.auth_database_url)
    migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    database.close()


def test_a_second_migration_changes_nothing(settings: Settings) -> None:
    database = open_database(settings.auth_database_url)
    migrate(database)
    migrate(database)
    database.close()


def test_who_administers_uploads_may_undo_them_once_the_permission_is_there(
    settings: Settings,
) -> None:
    database = open_database(settings.auth_database_url)
    migrate(database)
    store = UserStore(database)
    users = {
        name: StoredUser(name, f"{name}@example.com", "hash", frozenset(permissions))
        for name, permissions in {
            "admin": ["users:admin", "uploads:admin"],
            "both": ["uploads:admin", "uploads:undo"],
            "ana": ["uploads:write"],
        }.items()
    }
    with store.writing() as table:
        for user in users.values():
            table.add(user)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    migrate(database)
    with store.reading() as table:
        now = {user.id: user.permissions for user in table.all()}
    database.close()
    assert now == {
        "admin": {"users:admin", "uploads:admin", "uploads:undo"},
        "both": {"uploads:admin", "uploads:undo"},
        "ana": {"uploads:write"},
    }


def test_the_schema_of_a_later_release_is_left_as_it_is(settings: Settings) -> None:
    database = open_database(settings.auth_database_url)
    migrate(database)
    with database.write() as connection:
        connection.execute(text("ALTER TABLE users ADD COLUMN hobby VARCHAR(9)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with capture_logs() as logs:
        migrate(database)
    assert [(each["event"], each["revisions"]) for each in logs] == [
        ("the schema is of a later version", ["9999"])
    ]
    with database.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        assert connection.execute(text("SELECT hobby FROM users")).all() == []
    UserStore(database).check()
    database.close()


def test_migrations_at_the_same_time_wait_for_each_other(settings: Settings) -> None:
    def run(_: int) -> tuple[int, str]:
        command = [sys.executable, "-m", "auth.migrations"]
        environment = {
            "MUSTER_AUTH_DATABASE_URL": settings.auth_database_url,
            "MUSTER_LOG_LEVEL": "WARNING",
        }
        ended = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True
        )
        return ended.returncode, ended.stderr

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, range(2))) == [(0, ""), (0, "")]
    app = create_app(settings)
    UserStore(provided(app, Services).database).check()
    provided(app, Services).database.close()
    provided(app, Services).broker.close()


def test_the_service_is_not_ready_before_somebody_can_log_in(
    settings: Settings, quick_hashes: None
) -> None:
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "auth database" in answer.text
    database = open_database(settings.auth_database_url)
    migrate(database)
    database.close()
    answer = client.get("/readyz")
    assert (answer.status_code, "waits for a user." in answer.text) == (503, True)
    settings.admin_password = SecretStr(PASSWORD)
    assert app.test_cli_runner().invoke(args=["users", "ensure-admin"]).exit_code == 0
    assert client.get("/readyz").status_code == 200
    assert client.post("/v1/login", auth=(settings.admin_email, PASSWORD)).status_code == 200
    provided(app, Services).database.close()
    provided(app, Services).broker.close()


def test_the_service_is_not_ready_on_the_schema_of_before(
    settings: Settings, store: UserStore, quick_hashes: None
) -> None:
    app = create_app(settings)
    provided(app, Services).accounts.add(new_user("admin@example.com", "users:admin"))
    with provided(app, Services).database.write() as connection:
        connection.execute(text("DROP TABLE login_networks"))
    assert app.test_client().get("/readyz").status_code == 503
    provided(app, Services).database.close()
    provided(app, Services).broker.close()


def test_the_service_stays_ready_while_its_database_is_away(
    suite: AuthSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.backends.dependencies.FRESH_SECONDS", 0.0)
    client = suite.app.test_client()
    assert client.get("/readyz").status_code == 200
    with provided(suite.app, Services).database.write() as connection:
        connection.execute(text("DROP TABLE login_networks"))
        connection.execute(text("DROP TABLE user_permissions"))
    assert client.get("/readyz").status_code == 200
    # What needs no database is answered: by its keys another gateway becomes ready.
    assert client.get("/.well-known/jwks.json").status_code == 200
    answer = suite.log_in(suite.ana.email)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    eventually_up(client, "auth", {"auth database": False})


def test_a_database_of_an_unknown_kind_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, auth_database_url="oracle://db/auth")
    with pytest.raises(Exception, match="known are sqlite://"):
        create_app(settings)
