"""`python -m dbuploader.migrations`: bring the employment database up to date."""

from dbuploader.migrations import migrate
from dbuploader.settings import Settings
from muster.database import open_database
from muster.logs import configure_logging


def main() -> None:
    """Migrate the database that `MUSTER_EMPLOYMENT_DATABASE_URL` names."""
    settings = Settings()
    configure_logging("dbuploader", settings.log_level)
    database = open_database(settings.employment_database_url)
    try:
        migrate(database)
    finally:
        database.close()


if __name__ == "__main__":
    main()
