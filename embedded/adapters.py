"""The URLs of the suite's backends, and the adapters that they ask for."""

from contextlib import suppress

from pydantic import ValidationError

import muster.broker
import muster.database
import muster.filestore
import muster.uploadstore
from muster.adapters import ConfigurationError, load_adapter
from muster.settings import DatabaseSettings, SecretUrl


class BackendSettings(DatabaseSettings):
    """What all services together read of where their backends are."""

    broker_url: SecretUrl = ""
    csv_store_url: SecretUrl = ""
    file_store_url: SecretUrl = ""
    auth_database_url: SecretUrl = ""
    employment_database_url: SecretUrl = ""
    notification_database_url: SecretUrl = ""
    smtp_url: SecretUrl = ""


def import_adapters() -> None:
    """Import the adapters that the URLs ask for, but mail's. What is wrong with one, its user says.

    Connects to nothing.
    """
    with suppress(ConfigurationError, ValidationError):
        settings = BackendSettings()
        files = settings.file_store_url or settings.csv_store_url
        for port, url, adapters in (
            ("database", settings.auth_database_url, muster.database.ADAPTERS),
            ("database", settings.employment_database_url, muster.database.ADAPTERS),
            ("database", settings.notification_database_url, muster.database.ADAPTERS),
            ("broker", settings.broker_url, muster.broker.ADAPTERS),
            ("CSV store", settings.csv_store_url, muster.uploadstore.ADAPTERS),
            ("file store", files, muster.filestore.ADAPTERS),
        ):
            with suppress(ConfigurationError):
                load_adapter(port, url, adapters)
