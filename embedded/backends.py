"""Whether the URLs in the environment name adapters that exist, asked before anything starts."""

from embedded.errors import StartError
from muster.adapters import ConfigurationError
from muster.broker import open_broker
from muster.csvstore import open_csv_store
from muster.database import open_database
from muster.mail import open_mailer
from muster.settings import ServiceSettings


class _Urls(ServiceSettings):
    broker_url: str = ""
    csv_store_url: str = ""
    auth_database_url: str = ""
    employment_database_url: str = ""
    smtp_url: str = ""


def check_backends() -> None:
    """Return if each service will find its adapters; connects nowhere. Raises StartError."""
    urls = _Urls()
    try:
        open_broker(urls.broker_url).close()
        open_csv_store(urls.csv_store_url).close()
        open_database(urls.auth_database_url).close()
        open_database(urls.employment_database_url).close()
        open_mailer(urls.smtp_url)
    except ConfigurationError as error:
        raise StartError(str(error)) from error
