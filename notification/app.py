"""The service's HTTP side: `gunicorn -c python:muster.serving "notification.app:create_app()"`.

It reports the health of what the emails depend on; `notification.consumer` sends them.
"""

from dataclasses import dataclass

from flask import Flask

from muster.broker import Broker, open_broker
from muster.http.service import Health, install_service, provide
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from muster.uploadstore import UploadStore, open_upload_store
from notification.channels import open_channel
from notification.settings import Settings


@dataclass(frozen=True)
class Services:
    """What the HTTP side works with."""

    broker: Broker
    store: UploadStore


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything."""
    settings = settings or Settings()
    configure_logging("notification", settings.log_level)
    export_spans("notification")
    app = Flask("notification")
    broker, store = open_broker(settings.broker_url), open_upload_store(settings.csv_store_url)
    provide(app, Services(broker, store))
    checks = {
        "broker": broker.check,
        "CSV store": store.check,
        "mail": open_channel(settings).check,
    }
    # It reports health only, which it can always do.
    install_service(app, "notification", Health(dependencies=checks))
    return app
