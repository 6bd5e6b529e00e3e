"""The service's HTTP side: `gunicorn -c python:muster.serving "notification.app:create_app()"`.

It keeps the endpoints and shows the deliveries; `notification.consumer` sends the emails and
`notification.webhooks` the webhooks.
"""

from functools import partial

from flask import Flask
from pydantic import ValidationError

from muster.backends.dependencies import Check, once
from muster.broker import open_broker
from muster.database import ConstraintViolated, DatabaseUnavailable, open_database
from muster.http.problems import Problem, answer_with, invalid, invalid_body, unavailable
from muster.http.revocations import check_with
from muster.http.service import Health, install_service, provide
from muster.http.tokens import authenticate_with
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from muster.uploadstore import open_upload_store
from notification.api.services import Services
from notification.api.views import blueprint
from notification.channels import open_channel
from notification.channels.webhook.addresses import AddressPolicy, WrongUrl
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Endpoints
from notification.channels.webhook.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    EndpointNotFound,
    StillWaiting,
    TooManyEndpoints,
    TooManyTests,
    UnknownCursor,
)
from notification.channels.webhook.schema import check_schema
from notification.channels.webhook.sealing import SecretBox
from notification.settings import Settings, parse_networks

_DATABASE = "notification database"


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything. Raises ConfigurationError.

    The key of the secrets is made where there is none.
    """
    settings = settings or Settings()
    configure_logging("notification", settings.log_level)
    export_spans("notification")
    app = Flask("notification")
    services = _wire(settings)
    provide(app, services)
    authenticate_with(app, check_with(settings.auth_url).verify)
    app.register_blueprint(blueprint)
    checks: dict[str, Check] = {
        "broker": services.broker.check,
        "CSV store": services.store.check,
        "mail": open_channel(settings).check,
        _DATABASE: partial(check_schema, services.database),
    }
    # Without its tables it can answer nothing. Later each request reports an outage itself.
    ready = {_DATABASE: once(checks[_DATABASE])}
    install_service(app, "notification", Health(ready, checks))
    answer_with(app, _PROBLEMS)
    return app


def _wire(settings: Settings) -> Services:
    database = open_database(
        settings.notification_database_url, allow_multi_primary=settings.allow_multi_primary
    )
    policy = AddressPolicy(
        parse_networks(settings.webhook_allow), parse_networks(settings.webhook_forbid)
    )
    return Services(
        open_broker(settings.broker_url),
        open_upload_store(settings.csv_store_url),
        database,
        Endpoints(database, SecretBox.from_file(settings.webhook_keys), policy),
        Deliveries(database),
    )


def _not_found(error: Exception) -> Problem:
    return Problem("not-found", str(error))


_PROBLEMS = {
    ValidationError: invalid_body,
    WrongUrl: lambda error: invalid(("url", str(error))),
    UnknownCursor: lambda error: invalid(("cursor", str(error))),
    EndpointNotFound: _not_found,
    DeliveryNotFound: _not_found,
    TooManyEndpoints: lambda error: Problem("too-many-webhooks", str(error)),
    EndpointDisabled: lambda error: Problem("webhook-disabled", str(error)),
    StillWaiting: lambda error: Problem("delivery-waits", str(error)),
    TooManyTests: lambda error: Problem(
        "too-many-tests",
        str(error),
        headers={"Retry-After": str(error.seconds)},
    ),
    DatabaseUnavailable: lambda _: unavailable("The notification database"),
    ConstraintViolated: lambda _: unavailable("The notification database", 1),
}
