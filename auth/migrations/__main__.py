"""Upgrades the database at MUSTER_AUTH_DATABASE_URL to the newest schema, and exits."""

import sys

from auth.migrations import migrate
from auth.settings import Settings
from muster.adapters import ConfigurationError
from muster.database import DatabaseUnavailable, open_database


def main() -> None:
    """Upgrade; exits with the reason and status 1 if that can't be done now."""
    settings = Settings()
    try:
        database = open_database(
            settings.auth_database_url, allow_multi_primary=settings.allow_multi_primary
        )
        try:
            migrate(database)
        finally:
            database.close()
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"auth: the schema is not upgraded: {error}")


if __name__ == "__main__":
    main()
