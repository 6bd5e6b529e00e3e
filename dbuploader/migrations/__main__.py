"""`python -m dbuploader.migrations`: bring the employment database up to date, and exit."""

import sys

from dbuploader.migrations import migrate
from dbuploader.settings import Settings
from muster.adapters import ConfigurationError
from muster.database import DatabaseUnavailable, open_database
from muster.database.availability import wait_for
from muster.observability.logs import configure_logging
from muster.worker.shutdown import exit_on_sigterm


def main() -> None:
    """Migrate, waiting for the database; exits with the reason and status 1 if it can't be done."""
    settings = Settings()
    configure_logging("dbuploader", settings.log_level)
    exit_on_sigterm()
    try:
        database = open_database(
            settings.employment_database_url, allow_multi_primary=settings.allow_multi_primary
        )
        try:
            wait_for(lambda: migrate(database), settings.wait_seconds)
        finally:
            database.close()
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"dbuploader: the schema is not upgraded: {error}")


if __name__ == "__main__":
    main()
