"""The command that brings a service's database to its newest schema, and ends."""

import sys
from collections.abc import Callable
from contextlib import closing

from muster import startup
from muster.adapters import ConfigurationError
from muster.database import Database, DatabaseUnavailable, open_database
from muster.database.availability import wait_for
from muster.observability.logs import configure_logging
from muster.settings import SchemaSettings
from muster.worker.shutdown import exit_on_sigterm


def run_migration(
    service: str, settings: SchemaSettings, url: str, migrate: Callable[[Database], None]
) -> None:
    """Migrate the database at `url`, waiting for it.

    Exits with the reason and status 1 if it can't be done.
    """
    startup.complete()
    configure_logging(service, settings.log_level)
    exit_on_sigterm()
    try:
        allowed = settings.allow_multi_primary
        with closing(open_database(url, allow_multi_primary=allowed)) as database:
            wait_for(lambda: migrate(database), settings.wait_seconds)
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"{service}: the schema is not upgraded: {error}")
