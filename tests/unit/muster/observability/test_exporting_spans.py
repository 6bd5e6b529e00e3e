"""Spans go where the OTEL_ variables say, and nowhere else; each test in a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.servers.collector import Collector, collecting

START = """
import sys
from muster.adapters import ConfigurationError
from muster.observability.spans import span
from muster.observability.telemetry import export_spans
from muster.observability.tracing import Trace, current_trace, tracing

export_spans("probe")
"""
# All of it gets there, however slow the machine is.
PATIENCE = """
from muster.observability import sdk
sdk._FLUSH_SECONDS = 60
"""
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = CALLER.split("-")[1]


def run(code: str, **environment: str) -> str:
    """What a program prints that has only these variables; raises CalledProcessError."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-W", "error", "-c", START + code]
    return subprocess.run(
        command,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def run_exporting(collector: Collector, code: str, **environment: str) -> str:
    """As `run`, with all spans at the collector in the end."""
    return run(PATIENCE + code, **collector.environment(), **environment)


@pytest.fixture
def hanging_url() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_where_nothing_is_exported_only_the_api_is_imported(environment: dict[str, str]) -> None:
    code = """
with tracing(Trace("r-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")), span("work"):
    print(current_trace().traceparent)
print(*(name for name in sys.modules if name.startswith("opentelemetry.")))
"""
    traceparent, imported = run(code, **environment).splitlines()
    assert traceparent == f"00-{'a' * 32}-{'b' * 16}-01"
    parts = {name.split(".")[1] for name in imported.split()}
    assert parts & {"sdk", "exporter", "instrumentation", "proto"} == set()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "known are otlp, none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "known is http/protobuf",
        ),
    ],
)
def test_what_is_not_known_is_refused(environment: dict[str, str], told: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("", **environment)
    assert told in caught.value.stderr


def test_a_missing_package_names_the_extra() -> None:
    code = """
import os
sys.modules["opentelemetry.sdk"] = None
os.environ["OTEL_TRACES_EXPORTER"] = "otlp"
try:
    export_spans("probe")
except ConfigurationError as error:
    print(error)
"""
    assert "install muster[otel]" in run(code)


def test_a_span_belongs_to_the_trace_and_is_handed_on(collector: Collector) -> None:
    code = f"""
with tracing(Trace("r-1", "{CALLER}")), span("outer"), span("inner", "producer"):
    print(current_trace().headers())
"""
    handed_on = run_exporting(collector, code)
    outer, inner = sorted(collector.spans(TRACE), key=lambda span: span.name, reverse=True)
    assert (outer.parent, inner.parent) == (CALLER.split("-")[2], outer.id)
    assert f"'traceparent': '00-{TRACE}-{inner.id}-01'" in handed_on
    assert "'X-Request-Id': 'r-1'" in handed_on
    assert (inner.service, inner.kind) == ("probe", "PRODUCER")
    assert "r-1" in inner.attributes["muster.request_id"]


def test_a_span_that_fails_tells_the_kind_of_error_and_no_more(collector: Collector) -> None:
    code = f"""
try:
    with tracing(Trace("r-1", "{CALLER}")), span("failing"):
        raise ValueError("row 7 of Ana")
except ValueError:
    pass
"""
    run_exporting(collector, code)
    (failed,) = collector.spans(TRACE)
    assert "ValueError" in failed.attributes["error.type"]
    assert failed.failed
    assert "Ana" not in str(failed)


def test_calls_for_nobody_are_no_spans(collector: Collector) -> None:
    code = f"""
import requests
with requests.Session() as session:
    session.trust_env = False
    for number in range(3):
        session.get("{collector.url}/for-nobody", timeout=60)
    with tracing(Trace("r-1", "{CALLER}")), span("call", "client"):
        pass
    with tracing(Trace("r-1", "{CALLER}")), span("work"), span("call", "client"):
        session.get("{collector.url}/for-somebody", timeout=60)
"""
    run_exporting(collector, code)
    assert sorted(span.name for span in collector.spans()) == ["GET", "call", "work"]


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, []),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, []),
        ({"OTEL_SERVICE_NAME": "renamed"}, ["renamed"]),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=named"}, ["named"]),
    ],
)
def test_sampling_and_naming_are_left_to_the_variables(
    collector: Collector, environment: dict[str, str], names: list[str]
) -> None:
    code = f"""
with tracing(Trace("r-1", "{CALLER}")), span("work"):
    print(current_trace().traceparent[-2:])
"""
    flags = run_exporting(collector, code, **environment).strip()
    assert [span.service for span in collector.spans()] == names
    # What is not sampled here is not sampled further on.
    assert flags == ("01" if names else "00")


def test_a_collector_that_hangs_delays_neither_the_work_nor_the_end(hanging_url: str) -> None:
    code = f"""
with tracing(Trace("r-1", "{CALLER}")):
    for number in range(3000):
        with span("work"):
            pass
"""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": hanging_url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        # Whoever waited for the answer would wait for longer than the program may take.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
    }
    run(code, **environment)
