"""The migrations build what the code expects."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dbuploader.db import check_schema, schema
from dbuploader.migrations import migrate
from muster.contracts.tables import sql, tables
from muster.database import Database, DatabaseUnavailable, open_database


@pytest.fixture
def migrations() -> str | None:
    """None have run on a database of a test here."""
    return None


def test_the_migrated_schema_is_the_declared_one(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)

    assert differences(database) == []
    database.close()


def differences(database: Database) -> object:
    declared = [sql.metadata, schema.metadata]
    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": declared}
        )
        return compare_metadata(context, declared)  # type: ignore[arg-type]


def test_migrating_again_changes_nothing(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)

    migrate(database)

    check_schema(database)
    database.close()


def test_a_database_that_is_not_migrated_is_not_ready(database_url: str) -> None:
    database = open_database(database_url)

    with pytest.raises(DatabaseUnavailable):
        check_schema(database)
    database.close()


@pytest.mark.parametrize(
    "missing",
    [
        ["DROP TABLE batch_answers", "DROP TABLE load_attempts"],
        ["DROP TABLE batch_answers", "DROP TABLE hires_summary"],
    ],
)
def test_a_migration_that_broke_off_halfway_is_run_again(
    database_url: str, missing: list[str]
) -> None:
    database = open_database(database_url)
    migrate(database)
    with database.write() as connection:
        for statement in ("DELETE FROM alembic_version", *missing):
            connection.exec_driver_sql(statement)

    migrate(database)

    assert differences(database) == []
    database.close()


def test_the_server_counts_rows_on_request_alone(mysql_database_url: str) -> None:
    database = open_database(mysql_database_url)
    migrate(database)

    with database.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND create_options LIKE '%stats_auto_recalc=0%' ORDER BY table_name"
        )
        assert found.scalars().all() == sorted(tables())
    database.close()
