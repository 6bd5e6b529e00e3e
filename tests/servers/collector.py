"""A stand-in for an OpenTelemetry collector: takes spans over OTLP/HTTP and keeps them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.servers.http import serving


@dataclass(frozen=True)
class Recorded:
    """A span: ids in hexadecimal digits, `parent` empty for a root; the kind as `CLIENT`.

    `attributes` hold those of its events, too.
    """

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, str]
    failed: bool


class Collector:
    """What has been exported so far, from all threads and processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._spans: list[Recorded] = []
        self._lock = threading.Lock()

    def environment(self) -> dict[str, str]:
        """The variables that have a process export to here, at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def add(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self._spans += _read(request)

    def spans(self, trace: str | None = None) -> list[Recorded]:
        """All spans, or those of one trace."""
        with self._lock:
            return [span for span in self._spans if trace in (None, span.trace)]


def _read(request: ExportTraceServiceRequest) -> Iterator[Recorded]:
    for resource in request.resource_spans:
        of = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Recorded(
                    of["service.name"],
                    span.name,
                    Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    {
                        each.key: str(each.value)
                        for attributes in (span.attributes, *(e.attributes for e in span.events))
                        for each in attributes
                    },
                    span.status.code == Status.STATUS_CODE_ERROR,
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector at a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.add(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Handler) as port:
        collector = Collector(f"http://127.0.0.1:{port}")
        yield collector
