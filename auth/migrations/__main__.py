"""Upgrades the database at MUSTER_AUTH_DATABASE_URL to the newest schema, and exits."""

import sys

from auth.migrations import migrate
from auth.settings import Settings
from muster.adapters import ConfigurationError
from muster.database import DatabaseUnavailable, open_database
from muster.database.availability import wait_for
from muster.observability.logs import configure_logging
from muster.worker.shutdown import exit_on_sigterm


def main() -> None:
    """Upgrade, waiting for the database; exits with the reason and status 1 if it can't be done."""
    settings = Settings()
    configure_logging("auth", settings.log_level)
    exit_on_sigterm()
    try:
        database = open_database(
            settings.auth_database_url, allow_multi_primary=settings.allow_multi_primary
        )
        try:
            wait_for(lambda: migrate(database), settings.wait_seconds)
        finally:
            database.close()
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"auth: the schema is not upgraded: {error}")


if __name__ == "__main__":
    main()
