"""What every Flask app has: `Services`, health routes, tracing, access log, metrics, problems."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Event, Thread
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from muster.backends.dependencies import Afresh, Check, Dependencies
from muster.http.problems import Problem, install_problems, unavailable
from muster.http.rate_limits import say_rate_limits
from muster.http.settings import ServerSettings
from muster.observability.spans import in_this_span
from muster.observability.telemetry import record_requests
from muster.observability.tracing import Trace, current_trace, tracing

log = structlog.get_logger(__name__)

REQUESTS = Counter(
    "muster_http_requests_total",
    "HTTP requests answered.",
    ("service", "method", "route", "status"),
)
SECONDS = Histogram(
    "muster_http_request_duration_seconds", "Time to answer, in seconds.", ("service", "route")
)
_CROWDED_SECONDS = 0.2
# Far less than a scrape may take: 10 seconds by default.
_SCRAPE_SECONDS = 2.0
_HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})
# A browser that shows a response which is no page runs nothing in it and lets nobody frame it.
_NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PROTECTIONS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", _NO_PAGE),
)
# A label must have few values, and a client may send any method.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


T = TypeVar("T")


@dataclass(frozen=True)
class Background:
    """Work beside the requests of an app: `run`, in a thread of the server's.

    Only a server begins it. The event is set when the server stops taking requests.
    """

    run: Callable[[Event], None]

    @staticmethod
    def begin(app: Flask) -> Event:
        """Begin that of `app`, if it was provided with any; returns what ends it."""
        stop = Event()
        background = app.extensions.get(_name_of(Background))
        if background is not None:
            Thread(target=background.run, args=(stop,), name="background", daemon=True).start()
        return stop


@dataclass(frozen=True)
class FacesClients:
    """Clients come to an app themselves: very many at once are to be refused at its door."""

    @staticmethod
    def does(app: Flask) -> bool:
        """Whether that of `app` was provided with it."""
        return _name_of(FacesClients) in app.extensions


def provide(app: Flask, services: object) -> None:
    """Let the views of `app` find `services`, an object of a class of its own, by that class."""
    app.extensions[_name_of(type(services))] = services


def provided(app: Flask, kind: type[T]) -> T:
    """The object of class `kind` that was provided to `app`, or `flask.current_app`."""
    services = app.extensions[_name_of(kind)]
    if not isinstance(services, kind):
        raise TypeError(f"{services!r} is no {kind.__qualname__}")
    return services


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _runs() -> None:
    """The check of a process that is alive as long as it answers."""


@dataclass(frozen=True)
class Health:
    """What the health routes of a process report. The checks are by name.

    - `ready`: what `/readyz` answers by: all that the process needs to do part of its work. A
      request that does without a backend that is down must still be answered.
    - `dependencies`: every backend the process works with, for `muster_dependency_up`. Before it
      serves, the process ends if one of them refuses it (muster.backends.servers).
    - `alive`: what `/healthz` answers by; it must check no dependency.
    - `afresh`: the same dependencies over new connections. `/healthz` fails if these pass while
      those of the process have failed for long (muster.backends.dependencies).
    """

    ready: Mapping[str, Check] = field(default_factory=dict)
    dependencies: Mapping[str, Check] = field(default_factory=dict)
    alive: Check = _runs
    afresh: Afresh | None = None


def install_service(app: Flask, service: str, health: Health) -> None:
    """Give `app` tracing, access log, metrics, problem documents and the health routes."""
    provide(app, health)
    if app.config["MAX_CONTENT_LENGTH"] is None:
        app.config["MAX_CONTENT_LENGTH"] = ServerSettings().max_body_bytes
    install_problems(app)
    # No function here is asynchronous. Flask would ask that of each of the 14 that a request calls.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]
    # First, so that the spans begin before and end after all that follows.
    record_requests(app)
    app.before_request(_enter_trace)
    app.after_request(_answer_with_trace)
    app.after_request(_protect)
    app.after_request(say_rate_limits)
    app.after_request(lambda response: _account(service, response))
    app.teardown_request(_leave_trace)
    _add_health(app, service, health)


def _enter_trace() -> None:
    g.started = time.monotonic()
    g.trace_scope = ExitStack()
    g.trace_scope.enter_context(tracing(in_this_span(Trace.from_headers(request.headers))))


def _answer_with_trace(response: Response) -> Response:
    response.headers["X-Request-Id"] = current_trace().request_id
    return response


def _protect(response: Response) -> Response:
    """Set the headers of every response that does not set them itself."""
    headers = response.headers
    # Each look-up of the library's goes through all of them.
    own = {name.lower() for name, _ in headers}
    # One with a tag may be kept if it is asked for again each time.
    caching = "private, no-cache" if "etag" in own else "no-store"
    for name, value in (*_PROTECTIONS, ("Cache-Control", caching)):
        if name.lower() not in own:
            headers.add(name, value)
    return response


def _leave_trace(_error: BaseException | None) -> None:
    g.trace_scope.close()


def _account(service: str, response: Response) -> Response:
    seconds = time.monotonic() - g.started
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in _METHODS else "other"
    requests, durations = _metrics_of(service, method, route, response.status_code)
    requests.inc()
    durations.observe(seconds)
    if route not in _HEALTH:
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
        )
    return response


@cache
def _metrics_of(service: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Those with these labels, which are few: finding them takes longer than counting."""
    return REQUESTS.labels(service, method, route, status), SECONDS.labels(service, route)


def _add_health(app: Flask, service: str, health: Health) -> None:
    dependencies = Dependencies(service, health.dependencies, afresh=health.afresh)

    @app.get("/healthz")
    def healthz() -> Response:
        if not (_passes("process", health.alive) and _passes("process", dependencies.check)):
            raise unavailable("The process")
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> Response:
        # Not waited for: what they answer is logged, and measured.
        dependencies.ask()
        failing = [name for name, check in health.ready.items() if not _passes(name, check)]
        if failing:
            raise _not_ready(failing)
        return jsonify(status="ready", checks=list(health.ready))

    @app.get("/metrics")
    def metrics() -> Response:
        dependencies.ask(_SCRAPE_SECONDS)
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _passes(name: str, check: Check) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises, the answer is "not ready"
        log.warning("not ready", dependency=name, error=repr(error))
        return False
    return True


def _not_ready(failing: list[str]) -> Problem:
    detail = f"Not ready: it waits for {', '.join(failing)}."
    again = {"Retry-After": "2"}
    return Problem("unavailable", detail, headers=again)


class _HealthServer(ThreadedWSGIServer):
    """Outlives what its requests meet: too many open files, a log that can't be written."""

    def get_request(self) -> Any:
        """Take a connection; socketserver passes over one that can't be had."""
        try:
            return super().get_request()
        except OSError:
            # It would be called again at once.
            time.sleep(_CROWDED_SECONDS)
            raise

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log it: the library's own way ends the server where standard error is full."""
        log.warning("health request failed", exc_info=True)


class _Silent(WSGIRequestHandler):
    # A client that says nothing holds its thread for no longer.
    timeout = 10.0

    def log(self, type: str, message: str, *args: object) -> None:
        """Leave the access log to the app's own, which knows probes from requests."""


def serve_health(service: str, host: str, port: int, health: Health) -> None:
    """Serve a worker's health and metrics from a daemon thread.

    A worker that is not alive is not ready.
    """
    app = Flask(service)
    ready = {**health.ready, "process": health.alive}
    install_service(app, service, replace(health, ready=ready))
    server = _HealthServer(host, port, app, _Silent)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
