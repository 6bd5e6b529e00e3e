"""Spans, the timed steps of a trace, by the API of OpenTelemetry.

None is made until `record_with` is given a provider, which muster.observability.telemetry does if
spans are to be exported.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Literal

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from muster.observability.tracing import Trace, current_trace, tracing

Kind = Literal["internal", "client", "producer", "consumer"]

_w3c = TraceContextTextMapPropagator()
# Not the API's own tracer that does nothing: each span by it takes as long as a small log line.
_tracer: trace.Tracer | None = None


def record_with(provider: trace.TracerProvider) -> None:
    """Record spans with `provider` from now on, also those of libraries; once in a process."""
    global _tracer
    trace.set_tracer_provider(provider)
    _tracer = provider.get_tracer("muster", version("muster"))


def are_recorded() -> bool:
    """Whether spans are recorded in this process."""
    return _tracer is not None


def in_this_span(named: Trace) -> Trace:
    """`named`, handing on the span in progress, if there is one."""
    traceparent = _current()
    return named if traceparent is None else replace(named, traceparent=traceparent)


def trace_id() -> str | None:
    """The id of the trace that spans are recorded for now, 32 hexadecimal digits."""
    traceparent = _current()
    return None if traceparent is None else traceparent.split("-")[1]


@contextmanager
def span(
    name: str, kind: Kind = "internal", attributes: Mapping[str, str | int] | None = None
) -> Iterator[None]:
    """Record the block as a step of the current trace, and hand this span on in it.

    A `client`, which is a call, is recorded within another span only: a worker that looks for work
    makes one each second, for nobody.
    """
    if _tracer is None or (kind == "client" and _current() is None):
        yield
        return
    current = current_trace()
    with (
        _tracer.start_as_current_span(
            name,
            _within(current.traceparent),
            SpanKind[kind.upper()],
            {"muster.request_id": current.request_id, **(attributes or {})},
            record_exception=False,
            set_status_on_exception=False,
        ) as recorded,
        tracing(in_this_span(current)),
    ):
        try:
            yield
        except BaseException as error:
            # No more of it: a message may quote rows. The log, which has it, names the trace.
            recorded.set_attribute("error.type", type(error).__qualname__)
            recorded.set_status(StatusCode.ERROR)
            raise


def _current() -> str | None:
    """The traceparent of the span in progress."""
    if _tracer is None:
        return None
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent")


def _within(traceparent: str) -> context.Context:
    """The context of the current span, if it is of the same trace; else of the caller's span."""
    named = _w3c.extract({"traceparent": traceparent})
    current = trace.get_current_span().get_span_context()
    same = current.trace_id == trace.get_current_span(named).get_span_context().trace_id
    return context.get_current() if same else named
