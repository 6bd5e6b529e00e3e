"""The gateway's HTTP app: what it is made of, put together in one place."""

from importlib.metadata import version
from typing import Any

from flask.json.provider import DefaultJSONProvider
from flask_openapi.models.info import Info
from flask_openapi.models.license import License
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.server import Server
from flask_openapi.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.api import (
    access_keys,
    audit,
    docs,
    links,
    preview,
    queries,
    receipts,
    tables,
    upload_content,
    upload_files,
    uploads,
    users,
    webhooks,
)
from gateway.api.responses import ProblemDocument
from gateway.errors import PROBLEMS
from gateway.proxy.access_keys import KeyExchange, install_access_keys
from gateway.services import Services
from gateway.settings import Settings
from gateway.web import views as web
from gateway.web.forms import install_forms
from gateway.web.pages import install_pages
from gateway.web.session import install_session
from muster.backends.dependencies import once
from muster.broker import Broker, open_broker
from muster.http.problems import answer_with
from muster.http.revocations import check_with
from muster.http.service import Background, FacesClients, Health, install_service, provide
from muster.http.tokens import Tokens, authenticate_with
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from muster.stores import Stores, open_stores

_INFO = Info(
    title="Muster",
    version=version("muster-gateway"),
    description="Upload CSV files of employment records, get back the rows that are wrong, and ask "
    "hiring questions over the rest. Log in first: `POST /v1/login`.",
    license=License(name="Apache License 2.0", identifier="Apache-2.0"),
)
_SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": SecurityScheme(
        type="http",
        scheme="bearer",
        bearerFormat="JWT",
        description="From `POST /v1/login`; or an access key, from `POST /v1/keys`.",
    ),
    "basic": SecurityScheme(type="http", scheme="basic", description="Email address and password."),
}


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The app as gunicorn serves it; connects to nothing yet. Raises ConfigurationError."""
    settings = settings or Settings()
    configure_logging("gateway", settings.log_level)
    export_spans("gateway")
    places = settings.store_places
    stores = open_stores(settings.csv_store_url, settings.file_store_url, places)
    tokens = check_with(settings.auth_url)
    return build_app(settings, stores, open_broker(settings.broker_url), tokens)


def build_app(settings: Settings, stores: Stores, broker: Broker, tokens: Tokens) -> OpenAPI:
    """The app over these adapters."""
    app = OpenAPI(
        __name__,
        info=_INFO,
        servers=[Server(url="/")],
        security_schemes=_SECURITY,
        validation_error_model=ProblemDocument,
        doc_ui=False,
    )
    app.json = _InDeclaredOrder(app)
    services = Services.over(settings, stores, broker, tokens)
    provide(app, services)
    provide(app, Background(services.marks.run))
    provide(app, FacesClients())
    authenticate_with(app, tokens.verify)
    install_service(app, "gateway", _health(stores, broker, tokens, services))
    answer_with(app, PROBLEMS)
    install_access_keys(app, KeyExchange(tokens, services.auth))
    _add_api(app)
    _add_pages(app, secure=settings.public_url.startswith("https:"))
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies
    )
    return app


def _health(stores: Stores, broker: Broker, tokens: Tokens, services: Services) -> Health:
    return Health(
        ready={"auth's keys": once(tokens.check)},
        dependencies={
            "CSV store": stores.check,
            "broker": broker.check,
            **{each.service: each.check for each in services.upstreams},
        },
    )


def _add_api(app: OpenAPI) -> None:
    subjects = (
        *(users, links, access_keys, audit, uploads, preview),
        *(upload_content, upload_files, receipts, webhooks, tables, queries),
    )
    for subject in subjects:
        app.register_api(subject.api)
    app.register_blueprint(docs.pages_of(app))


def _add_pages(app: OpenAPI, *, secure: bool) -> None:
    install_forms(app)
    install_session(app, secure=secure)
    install_pages(app)
    for page in web.SUBJECTS:
        app.register_blueprint(page.pages)


class _InDeclaredOrder(DefaultJSONProvider):
    sort_keys = False
