"""Handing a request on to the service that answers it."""

from urllib.parse import quote

from flask import Response, request

from gateway.proxy.coalesce import Shared
from gateway.proxy.upstream import Answer, Upstream

# What of a read decides its answer, beside the path and the query.
_DECISIVE = ("Accept", "If-None-Match")


def hand_on(
    upstream: Upstream, *, with_body: bool = False, most_bytes: int | None = None
) -> Response:
    """The service's answer to this request; raises UpstreamUnavailable.

    Only where there is one to hand on is the body read: 413 if it has more than `most_bytes`, or
    than the server's limit for any body.
    """
    if most_bytes is not None:
        request.max_content_length = most_bytes
    return _response(_send(upstream, request.get_data(cache=False) if with_body else b""))


def hand_on_shared(upstream: Upstream, shared: Shared[Answer]) -> Response:
    """As hand_on, for a read whose answer is the same for all who may ask.

    Who asks the same while the service works on it shares an answer. Raises UpstreamUnavailable.
    """
    key = (request.full_path, *(request.headers.get(name) for name in _DECISIVE))
    return _response(shared.ask(key, lambda: _send(upstream, b"")))


def _send(upstream: Upstream, body: bytes) -> Answer:
    return upstream.send(
        # The length and the tag of an answer to HEAD are those of what GET would answer.
        "GET" if request.method == "HEAD" else request.method,
        quote(request.path),
        query=request.query_string.decode("latin-1"),
        headers=request.headers,
        body=body,
        client_address=request.remote_addr or "",
    )


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, headers=dict(answer.headers))
    if "Content-Type" not in answer.headers:
        del response.headers["Content-Type"]
    return response
