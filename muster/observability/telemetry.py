"""Where spans are exported to: OpenTelemetry's SDK over OTLP/HTTP, if its variables ask for it.

The variables say where to, what is sampled, and as what:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
Nothing of the SDK, its exporter and instrumentations is imported otherwise: see
muster/observability/sdk.py.
"""

import os
from importlib import import_module

from flask import Flask

from muster.adapters import ConfigurationError
from muster.observability.spans import are_recorded

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SDK = "muster.observability.sdk"


def export_spans(service: str) -> None:
    """Export spans of this process, as `service`, if an OTEL_ variable says where to.

    To be called before anything connects, and in gunicorn's worker, not in what forks it. Raises
    ConfigurationError.
    """
    if are_recorded() or not _is_wanted():
        return
    try:
        sdk = import_module(_SDK)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"To export traces takes the package {error.name}: install muster[otel], or unset "
            "the variables OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_EXPORTER."
        ) from error
    sdk.start(service)


def record_requests(app: Flask) -> None:
    """Record a span for each request that `app` answers, except for its health."""
    if are_recorded():
        import_module(_SDK).record_requests(app)


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
