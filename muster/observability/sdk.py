"""OpenTelemetry's SDK, set up: imported only where spans are exported (`muster[otel]`)."""

import atexit
import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from threading import Event, Thread
from types import ModuleType

from flask import Flask
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from wrapt import register_post_import_hook

from muster.observability.spans import record_with

_HEALTH = r"^[^?]*/(healthz|readyz|metrics)$"
_FLUSH_SECONDS = 5.0


def start(service: str) -> None:
    """Export spans from now on; once in a process."""
    # The attributes' names that stay: https://opentelemetry.io/blog/2023/http-conventions-declared-stable/
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.sampler = _ForSomebody(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record_with(provider)
    _flush_at_exit(provider)
    # Below requests, too.
    URLLib3Instrumentor().instrument()
    # Not every image has it, and not every process uses it.
    register_post_import_hook(_record_commands, "pymongo")


def record_requests(app: Flask) -> None:
    """Record a span for each request but those for health."""
    instrument_app: Callable[..., None] = FlaskInstrumentor.instrument_app
    instrument_app(app, excluded_urls=_HEALTH, enable_commenter=False)


def _record_commands(_pymongo: ModuleType) -> None:
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    PymongoInstrumentor().instrument()


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
        attributes: Attributes = None,
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
        """The name that the SDK shows."""
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
