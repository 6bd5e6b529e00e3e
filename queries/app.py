"""The queries service: `gunicorn -c python:muster.serving "queries.app:create_app()"`."""

from flask import Flask

from muster.backends.dependencies import once
from muster.contracts.tables import InvalidKey, UnknownTable
from muster.contracts.tables.sql import hires_summary
from muster.database import DatabaseUnavailable
from muster.database.replicas import open_reads
from muster.http.problems import Problem, answer_with, invalid, unavailable
from muster.http.revocations import check_with
from muster.http.service import Health, install_service, provide
from muster.http.tokens import authenticate_with
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from queries.hiring import Hiring
from queries.repository import check_schema
from queries.rows import RowNotFound, TableRows, TooManyStreams
from queries.services import Services
from queries.settings import Settings
from queries.views import blueprint


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything."""
    settings = settings or Settings()
    configure_logging("queries", settings.log_level)
    export_spans("queries")
    database = open_reads(
        settings.employment_database_url,
        settings.employment_read_url,
        hires_summary,
        allow_multi_primary=settings.allow_multi_primary,
    )
    app = Flask("queries")
    authenticate_with(app, check_with(settings.auth_url).verify)
    provide(app, Services(database, Hiring(database), TableRows(database)))
    app.register_blueprint(blueprint)
    checks = {"employment database": lambda: check_schema(database)}
    # Without its tables it can answer nothing. Later each request reports an outage itself.
    ready = {name: once(each) for name, each in checks.items()}
    install_service(app, "queries", Health(ready, checks))
    answer_with(
        app,
        {
            DatabaseUnavailable: lambda _: unavailable("The employment database"),
            UnknownTable: lambda error: Problem("not-found", str(error)),
            RowNotFound: lambda error: Problem("not-found", str(error)),
            TooManyStreams: lambda _: _too_many_streams(),
            InvalidKey: lambda error: invalid(("key", str(error))),
        },
    )
    return app


def _too_many_streams() -> Problem:
    return Problem(
        "too-many-streams",
        "As many tables as may be are just being read as a whole; try again, or read it by pages.",
        headers={"Retry-After": "5"},
    )
