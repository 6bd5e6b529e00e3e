"""The service's HTTP side: `gunicorn -c python:muster.serving "notification.app:create_app()"`.

It answers for the health of what the emails depend on; `notification.consumer` sends them.
"""

from flask import Flask

from muster.broker import open_broker
from muster.csvstore import open_csv_store
from muster.http.service import install_service
from muster.mail import open_mailer
from muster.observability.logs import configure_logging
from muster.observability.spans import export_spans
from notification.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything."""
    settings = settings or Settings()
    configure_logging("notification", settings.log_level)
    export_spans("notification")
    app = Flask("notification")
    broker, store = open_broker(settings.broker_url), open_csv_store(settings.csv_store_url)
    app.extensions["broker"], app.extensions["store"] = broker, store
    checks = {
        "broker": broker.check,
        "CSV store": store.check,
        "mail": open_mailer(settings.smtp_url).check,
    }
    # It tells of health alone, which it can always do.
    install_service(app, "notification", {}, checks)
    return app
