"""`python -m notification.migrations`: bring the database of webhooks up to date, and exit."""

from muster import startup  # noqa: F401

# isort: split
from muster.settings import read_settings
from muster.worker.migration import run_migration
from notification.migrations import migrate
from notification.settings import Settings


def main() -> None:
    """Migrate; exits with the reason and status 1 if it can't be done."""
    settings = read_settings(Settings, "notification")
    run_migration("notification", settings, settings.notification_database_url, migrate)


if __name__ == "__main__":
    main()
