"""`python -m embedded.backends`: whether the backends that the URLs name can be used.

Asked before anything starts. How mail is sent is the notification service's own, and asked of it.
"""

import runpy
import sys
from contextlib import ExitStack, closing

from embedded.adapters import BackendSettings
from embedded.errors import StartError
from muster.adapters import ConfigurationError
from muster.backends.dependencies import Check
from muster.backends.servers import require_servers
from muster.broker import open_broker
from muster.database import open_database
from muster.stores import open_stores

_FILES = ("sqlite:", "file:")
_CHECK_MAIL = "notification.channels"


def check_backends() -> None:
    """Return if each service will find its adapters, and no server that they may not use.

    Connects to servers alone, and one that is away may come back. Raises StartError.
    """
    try:
        settings = BackendSettings()
        with ExitStack() as stack:
            checks = _open_all(settings, stack)
            require_servers(
                {url: check for url, check in checks.items() if not url.startswith(_FILES)}
            )
    except ConfigurationError as error:
        raise StartError(str(error)) from error
    if settings.smtp_url:
        try:
            runpy.run_module(_CHECK_MAIL, run_name="__main__", alter_sys=True)
        except SystemExit as refusal:
            raise StartError(str(refusal)) from refusal


def _open_all(settings: BackendSettings, stack: ExitStack) -> dict[str, Check]:
    """The check of each backend, by its URL."""
    broker = stack.enter_context(closing(open_broker(settings.broker_url)))
    stores = open_stores(settings.csv_store_url, settings.file_store_url)
    stack.enter_context(closing(stores))
    checks: dict[str, Check] = {
        settings.broker_url: broker.check,
        settings.csv_store_url: stores.uploads.check,
    }
    if settings.file_store_url:
        checks[settings.file_store_url] = stores.files.check
    for url in (
        settings.auth_database_url,
        settings.employment_database_url,
        settings.notification_database_url,
    ):
        database = open_database(url, allow_multi_primary=settings.allow_multi_primary)
        checks[url] = stack.enter_context(closing(database)).check
    return checks


def main() -> None:
    """Return if they can; exits with the reason and status 1 otherwise."""
    try:
        check_backends()
    except StartError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
