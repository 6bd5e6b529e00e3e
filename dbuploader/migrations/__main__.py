"""`python -m dbuploader.migrations`: bring the employment database up to date, and exit."""

import sys

from dbuploader.migrations import migrate
from dbuploader.settings import Settings
from muster.adapters import ConfigurationError
from muster.database import DatabaseUnavailable, open_database
from muster.logs import configure_logging


def main() -> None:
    """Migrate; exits with the reason and status 1 if that can't be done now."""
    settings = Settings()
    configure_logging("dbuploader", settings.log_level)
    try:
        database = open_database(
            settings.employment_database_url, allow_multi_primary=settings.allow_multi_primary
        )
        try:
            migrate(database)
        finally:
            database.close()
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"dbuploader: the schema is not upgraded: {error}")


if __name__ == "__main__":
    main()
