"""The schema's history, and its way to the newest version: `python -m notification.migrations`."""

from muster.database import Database
from muster.database.migrations import upgrade


def migrate(database: Database) -> None:
    """Bring the schema to its newest version; a second call at the same time waits.

    Raises DatabaseUnavailable.
    """
    upgrade(database, "notification:migrations")
