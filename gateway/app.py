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

from gateway.api import docs, queries, tables, upload_files, uploads, users
from gateway.api.responses import ProblemDocument
from gateway.errors import PROBLEMS, from_validation
from gateway.proxy.coalesce import RequestCoalescer
from gateway.proxy.upstream import Upstream
from gateway.services import Limits, Services, provide
from gateway.settings import Settings
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.follow import UploadFollower, event_at_shutdown
from gateway.uploads.outbox import Outbox
from gateway.web import views as web
from gateway.web.forms import install_forms
from gateway.web.pages import install_pages
from gateway.web.session import install_session
from muster.backends.dependencies import once
from muster.broker import Broker, open_broker
from muster.csvstore import CsvStore, open_csv_store
from muster.http.problems import answer_with
from muster.http.revocations import check_with
from muster.http.service import Health, install_service
from muster.http.tokens import Tokens, authenticate_with
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans

_INFO = Info(
    title="Muster",
    version=version("muster-gateway"),
    description="Upload CSV files of employment records, get back the rows that are wrong, and ask "
    "hiring questions over the rest. Log in first: `POST /v1/login`.",
    license=License(name="Apache License 2.0", identifier="Apache-2.0"),
)
_SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": SecurityScheme(
        type="http", scheme="bearer", bearerFormat="JWT", description="From `POST /v1/login`."
    ),
    "basic": SecurityScheme(type="http", scheme="basic", description="Email address and password."),
}


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The app as gunicorn serves it; connects to nothing yet. Raises ConfigurationError."""
    settings = settings or Settings()
    configure_logging("gateway", settings.log_level)
    export_spans("gateway")
    store = open_csv_store(settings.csv_store_url, settings.store_places)
    tokens = check_with(settings.auth_url)
    return build_app(settings, store, open_broker(settings.broker_url), tokens)


def build_app(settings: Settings, store: CsvStore, broker: Broker, tokens: Tokens) -> OpenAPI:
    """The app over these adapters."""
    app = OpenAPI(
        __name__,
        info=_INFO,
        servers=[Server(url="/")],
        security_schemes=_SECURITY,
        validation_error_model=ProblemDocument,
        validation_error_callback=from_validation,
        doc_ui=False,
    )
    app.json = _InDeclaredOrder(app)
    authenticate_with(app, tokens.verify)
    provided = _services(settings, store, broker, tokens)
    provide(app, provided)
    install_service(
        app,
        "gateway",
        Health(
            ready={"auth's keys": once(tokens.check)},
            dependencies={
                "CSV store": store.check,
                "broker": broker.check,
                **{each.service: each.check for each in provided.upstreams},
            },
        ),
    )
    install_forms(app)
    install_session(app, secure=settings.public_url.startswith("https:"))
    install_pages(app)
    answer_with(app, PROBLEMS)
    for subject in (users, uploads, upload_files, tables, queries):
        app.register_api(subject.api)
    app.register_blueprint(docs.pages)
    for page in web.SUBJECTS:
        app.register_blueprint(page.pages)
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies
    )
    return app


class _InDeclaredOrder(DefaultJSONProvider):
    sort_keys = False


def _services(settings: Settings, store: CsvStore, broker: Broker, tokens: Tokens) -> Services:
    return Services(
        uploads=Uploads(store, Outbox(store, broker)),
        access=UploadAccess(store),
        waiting=UploadFollower(
            store, settings.waiters, settings.max_waiters_per_user, event_at_shutdown()
        ),
        auth=Upstream("auth", settings.auth_url, settings.threads),
        queries=Upstream("queries", settings.queries_url, settings.threads),
        dbuploader=Upstream("dbuploader", settings.dbuploader_url, settings.threads),
        tokens=tokens,
        coalescer=RequestCoalescer(lambda answer: answer.is_shareable),
        limits=Limits(
            upload_bytes=settings.max_upload_bytes,
            batch_bytes=settings.max_batch_bytes,
            corrections_bytes=settings.max_corrections_bytes,
        ),
    )
