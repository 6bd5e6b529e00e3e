"""Spans, the timed steps of a trace: for OpenTelemetry where it is told to export them.

Elsewhere they cost nothing, and nothing of OpenTelemetry is imported:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from muster.adapters import ConfigurationError
from muster.observability.tracing import Trace, current_trace, tracing

if TYPE_CHECKING:
    from flask import Flask

Kind = Literal["internal", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Recorder(Protocol):
    """What keeps spans (muster/observability/telemetry.py)."""

    def span(
        self, name: str, kind: Kind, traceparent: str, attributes: Attributes
    ) -> AbstractContextManager[str]:
        """Record the block, as a part of the trace in `traceparent`; gives the span's own."""

    def current(self) -> str | None:
        """The traceparent of the span in progress."""

    def record_requests(self, app: "Flask") -> None:
        """Record a span for each request that `app` answers."""


_recorder: Recorder | None = None


def export_spans(service: str) -> None:
    """Export spans of this process, as `service`, if an OTEL_ variable says where to.

    To be called before anything connects, and in gunicorn's worker, not in what forks it. Raises
    ConfigurationError.
    """
    global _recorder
    if _recorder is None and _is_wanted():
        try:
            telemetry = import_module("muster.observability.telemetry")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"To export traces takes the package {error.name}: install muster[otel], or unset "
                "the variables OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_EXPORTER."
            ) from error
        _recorder = telemetry.start(service)


def _is_wanted() -> bool:
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or (
        "otlp" if any(map(os.environ.get, _ENDPOINTS)) else "none"
    )
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if exporter != "otlp":
        raise ConfigurationError(f"OTEL_TRACES_EXPORTER is {exporter!r}; known are otlp, none.")
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf")
    if protocol != "http/protobuf":
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; known is http/protobuf, at port 4318."
        )
    return True


def record_requests(app: "Flask") -> None:
    """Record a span for each request that `app` answers, except for its health."""
    if _recorder is not None:
        _recorder.record_requests(app)


def in_this_span(trace: Trace) -> Trace:
    """`trace`, handing on the span in progress, if there is one."""
    traceparent = None if _recorder is None else _recorder.current()
    return trace if traceparent is None else replace(trace, traceparent=traceparent)


def trace_id() -> str | None:
    """The id of the trace that spans are recorded for now, 32 hexadecimal digits."""
    traceparent = None if _recorder is None else _recorder.current()
    return None if traceparent is None else traceparent.split("-")[1]


@contextmanager
def span(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None
) -> Iterator[None]:
    """Record the block as a step of the current trace, and hand this span on in it.

    A `client`, which is a call, is recorded within another span only: a worker that looks for work
    makes one each second, for nobody.
    """
    if _recorder is None or (kind == "client" and _recorder.current() is None):
        yield
        return
    trace = current_trace()
    named = {"muster.request_id": trace.request_id, **(attributes or {})}
    with (
        _recorder.span(name, kind, trace.traceparent, named) as traceparent,
        tracing(replace(trace, traceparent=traceparent)),
    ):
        yield
