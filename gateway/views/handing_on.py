"""Handing a request on to the service that answers it."""

from urllib.parse import quote

from flask import Response, request

from gateway.upstream import Upstream

_MAX_BODY_BYTES = 4 * 1024 * 1024


def hand_on(upstream: Upstream, *, with_body: bool = False) -> Response:
    """The service's answer to this request; raises UpstreamUnavailable.

    Only where there is one to hand on is the body read: 413 if it has more than 4 MiB.
    """
    request.max_content_length = _MAX_BODY_BYTES
    answer = upstream.send(
        # The length and the tag of an answer to HEAD are those of what GET would answer.
        "GET" if request.method == "HEAD" else request.method,
        quote(request.path),
        query=request.query_string.decode("latin-1"),
        headers=request.headers,
        body=request.get_data(cache=False) if with_body else b"",
        client_address=request.remote_addr or "",
    )
    response = Response(answer.body, answer.status, headers=dict(answer.headers))
    if "Content-Type" not in answer.headers:
        del response.headers["Content-Type"]
    return response
