"""A caller's trace is kept where it is well formed, and replaced where it is not."""

import re

import pytest
import structlog

from muster.observability.tracing import Trace, bind_log_fields, current_trace, tracing

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def trace_of(request_id: str = "r-1", traceparent: str = TRACEPARENT) -> Trace:
    return Trace.from_headers({"X-Request-Id": request_id, "traceparent": traceparent})


def test_a_well_formed_trace_is_handed_on() -> None:
    headers = {"X-Request-Id": "r-1.a:b_c", "traceparent": TRACEPARENT}
    assert Trace.from_headers(headers).headers() == headers


@pytest.mark.parametrize(
    "request_id", ["", " ", "a b", "x" * 129, "r\n1", "r-1\n", "<script>", "ñ", "\u0661"]
)
def test_a_malformed_request_id_is_replaced(request_id: str) -> None:
    trace = trace_of(request_id=request_id)
    assert re.fullmatch("[0-9a-f]{32}", trace.request_id)
    assert trace.traceparent == TRACEPARENT


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT + "-extra",
        "ff" + TRACEPARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_a_malformed_traceparent_is_replaced(traceparent: str) -> None:
    trace = trace_of(traceparent=traceparent)
    assert trace.request_id == "r-1"
    assert trace.traceparent != traceparent
    assert trace_of(traceparent=trace.traceparent) == trace


def test_without_headers_every_trace_is_new() -> None:
    assert Trace.from_headers({}) != Trace.from_headers({})


def test_work_on_behalf_of_a_trace_has_it_and_logs_it_until_it_ends() -> None:
    with tracing(trace_of(), upload_id="u-1"):
        assert current_trace() == trace_of()
        assert structlog.contextvars.get_contextvars() == {"request_id": "r-1", "upload_id": "u-1"}
    assert current_trace() != trace_of()
    assert structlog.contextvars.get_contextvars() == {}


def test_what_is_found_out_on_the_way_is_logged_to_the_end_of_the_work() -> None:
    with tracing(trace_of()):
        bind_log_fields(user="7")
        with tracing(trace_of(request_id="r-2"), upload_id="u-1"):
            bind_log_fields(user="8")
        assert structlog.contextvars.get_contextvars() == {"request_id": "r-1", "user": "7"}
    bind_log_fields(user="9")
    assert structlog.contextvars.get_contextvars() == {}
