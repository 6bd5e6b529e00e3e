"""What the views call: made once, in `notification/app.py`."""

from dataclasses import dataclass

from flask import current_app

from muster.broker import Broker
from muster.database import Database
from muster.http.service import provided
from muster.uploadstore import UploadStore
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Endpoints


@dataclass(frozen=True)
class Services:
    """The rules of webhooks, and what the process reports the health of."""

    broker: Broker
    store: UploadStore
    database: Database
    endpoints: Endpoints
    deliveries: Deliveries


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
