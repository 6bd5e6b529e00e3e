"""The loader's HTTP side: `gunicorn -c python:muster.serving "dbuploader.app:create_app()"`.

As in `dbuploader.consumer`, what imports pyarrow comes after the database's driver.
"""

from flask import Flask

from dbuploader.api.request import InvalidParameter, MalformedJson, WrongRows
from dbuploader.batches.idempotency import KeyInFlight, KeyReused
from dbuploader.db import check_schema
from dbuploader.db.schema import load_attempts
from dbuploader.settings import Settings
from muster.backends.dependencies import once
from muster.contracts.tables import InvalidKey, UnknownTable
from muster.database import ConstraintViolated, DatabaseUnavailable, open_database
from muster.http.problems import Problem, answer_with, invalid, unavailable
from muster.http.revocations import check_with
from muster.http.service import Health, install_service, provide
from muster.http.tokens import authenticate_with
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from muster.stores import open_stores


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything."""
    settings = settings or Settings()
    configure_logging("dbuploader", settings.log_level)
    export_spans("dbuploader")
    stores = open_stores(settings.csv_store_url, settings.file_store_url)
    database = open_database(
        settings.employment_database_url,
        allow_multi_primary=settings.allow_multi_primary,
        trial=load_attempts,
    )
    from dbuploader.api import erasure, history, preview, receipts, views
    from dbuploader.batches.merge import Batches
    from dbuploader.journal.erasure import Erasures
    from dbuploader.journal.history import RowHistory
    from dbuploader.journal.origin import LineFinder
    from dbuploader.preview.previews import Previews
    from dbuploader.services import Limits, Services
    from dbuploader.validation.rows import check_declarations

    check_declarations()
    app = Flask("dbuploader")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_batch_bytes
    authenticate_with(app, check_with(settings.auth_url).verify)
    batches = Batches(database, settings.batch_limits)
    services = Services(
        database,
        batches,
        RowHistory(database),
        LineFinder(stores),
        Erasures(database),
        Previews(settings.max_workbook_bytes),
        Limits(preview_bytes=settings.max_preview_bytes),
    )
    provide(app, services)
    for blueprint in (
        views.blueprint,
        history.blueprint,
        erasure.blueprint,
        preview.blueprint,
        receipts.blueprint,
    ):
        app.register_blueprint(blueprint)
    checks = {"employment database": lambda: check_schema(database)}
    # Without its tables it can answer nothing. Later each request reports an outage itself.
    ready = {name: once(each) for name, each in checks.items()}
    # It knows the history of a row without the files, too, but for the lines.
    dependencies = {**checks, "CSV store": stores.check}
    install_service(app, "dbuploader", Health(ready, dependencies))
    _install_errors(app)
    return app


def _install_errors(app: Flask) -> None:
    from dbuploader.journal.erasure import NothingToErase, RowReferred
    from dbuploader.preview.previews import NoPlace

    answer_with(
        app,
        {
            UnknownTable: lambda error: Problem("not-found", str(error)),
            InvalidKey: lambda error: invalid(("key", str(error))),
            InvalidParameter: lambda error: invalid((error.field, str(error))),
            NothingToErase: lambda error: Problem("not-found", str(error)),
            RowReferred: lambda error: Problem("row-referred", str(error)),
            MalformedJson: lambda error: Problem("malformed-json", str(error)),
            WrongRows: lambda error: Problem("wrong-rows", str(error)),
            KeyReused: lambda _: Problem(
                "idempotency-key-reused",
                "This key came with another request before: take a new one.",
            ),
            KeyInFlight: lambda _: Problem(
                "idempotency-key-in-flight",
                "The request with this key is being worked on: ask again for its answer.",
                headers={"Retry-After": "1"},
            ),
            NoPlace: lambda _: Problem(
                "too-many-previews",
                "As many workbooks are read for previews as may be at once: ask again soon, or "
                "upload the file without one.",
                headers={"Retry-After": "2"},
            ),
            DatabaseUnavailable: lambda _: unavailable("The employment database"),
            ConstraintViolated: lambda _: unavailable("The employment database"),
        },
    )
