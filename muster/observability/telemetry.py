"""Spans by OpenTelemetry over OTLP/HTTP. Imported only where it is told to export them.

Its own variables say where to, what is sampled, and as what:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from threading import Event, Thread
from types import ModuleType

from flask import Flask
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes as OtelAttributes
from wrapt import register_post_import_hook

from muster.observability.spans import Attributes, Kind

_HEALTH = r"^[^?]*/(healthz|readyz|metrics)$"
_FLUSH_SECONDS = 5.0
_w3c = TraceContextTextMapPropagator()


def start(service: str) -> "Telemetry":
    """Export spans from now on; once in a process."""
    # The attributes' names that stay: https://opentelemetry.io/blog/2023/http-conventions-declared-stable/
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.sampler = _ForSomebody(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _flush_at_exit(provider)
    RequestsInstrumentor().instrument()
    # Not every image has it, and not every process uses it.
    register_post_import_hook(_record_commands, "pymongo")
    return Telemetry(provider.get_tracer("muster", version("muster")))


class Telemetry:
    """Keeps spans by `tracer`."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(
        self, name: str, kind: Kind, traceparent: str, attributes: Attributes
    ) -> Iterator[str]:
        """Record the block below the current span, if that is of the same trace."""
        with self._tracer.start_as_current_span(
            name,
            _within(traceparent),
            SpanKind[kind.upper()],
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield self.current() or traceparent
            except BaseException as error:
                # No more of it: a message may quote rows. The log, which has it, names the trace.
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def current(self) -> str | None:
        """The traceparent of the span in progress."""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        return carrier.get("traceparent")

    def record_requests(self, app: Flask) -> None:
        """Record a span for each request but those for health."""
        instrument_app: Callable[..., None] = FlaskInstrumentor.instrument_app
        instrument_app(app, excluded_urls=_HEALTH, enable_commenter=False)


def _record_commands(_pymongo: ModuleType) -> None:
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    PymongoInstrumentor().instrument()


def _within(traceparent: str) -> context.Context:
    named = _w3c.extract({"traceparent": traceparent})
    current = trace.get_current_span().get_span_context()
    same = current.trace_id == trace.get_current_span(named).get_span_context().trace_id
    return context.get_current() if same else named


def _resource(service: str) -> Resource:
    own = {"service.name": service, "service.namespace": "muster"}
    said = OTELResourceDetector().detect().attributes
    return Resource.create({**own, "service.version": version("muster"), **said})


class _ForSomebody(Sampler):
    """Samples as it is told to, but no calls of a worker that only looks for work."""

    def __init__(self, chosen: Sampler) -> None:
        self._chosen = chosen

    def should_sample(
        self,
        parent_context: context.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: OtelAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Whether to record the span."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if kind is SpanKind.CLIENT and not parent.is_valid:
            return SamplingResult(Decision.DROP)
        return self._chosen.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """What it is, for those who look."""
        return f"ForSomebody({self._chosen.get_description()})"


def _flush_at_exit(provider: TracerProvider) -> None:
    # By itself it would wait for a collector that does not answer beyond every grace period. The
    # thread is there from the start, as none can be started at exit from Python 3.12.
    ending, flushed = Event(), Event()

    def flush() -> None:
        ending.wait()
        provider.shutdown()
        flushed.set()

    def end() -> None:
        ending.set()
        flushed.wait(_FLUSH_SECONDS)

    Thread(target=flush, name="flush-spans", daemon=True).start()
    atexit.register(end)
