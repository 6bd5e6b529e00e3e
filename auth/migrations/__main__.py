"""`python -m auth.migrations`: bring the database of users up to date, and exit."""

from muster import startup  # noqa: F401

# isort: split
from auth.migrations import migrate
from auth.settings import Settings
from muster.settings import read_settings
from muster.worker.migration import run_migration


def main() -> None:
    """Migrate; exits with the reason and status 1 if it can't be done."""
    settings = read_settings(Settings, "auth")
    run_migration("auth", settings, settings.auth_database_url, migrate)


if __name__ == "__main__":
    main()
