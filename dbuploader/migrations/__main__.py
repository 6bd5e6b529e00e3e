"""`python -m dbuploader.migrations`: bring the employment database up to date, and exit."""

from muster import startup  # noqa: F401

# isort: split
from dbuploader.migrations import migrate
from dbuploader.settings import Settings
from muster.settings import read_settings
from muster.worker.migration import run_migration


def main() -> None:
    """Migrate; exits with the reason and status 1 if it can't be done."""
    settings = read_settings(Settings, "dbuploader")
    run_migration("dbuploader", settings, settings.employment_database_url, migrate)


if __name__ == "__main__":
    main()
