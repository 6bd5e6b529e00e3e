"""Forwarding the request that is being answered to the service that answers it."""

from urllib.parse import quote

from flask import Response, request

from gateway.proxy.coalesce import RequestCoalescer
from gateway.proxy.content_digest import ContentDigest
from gateway.proxy.upstream import Upstream, UpstreamResponse

# What of a read decides its answer, beside the path and the query.
_DECISIVE = ("Accept", "If-None-Match")


def forward(
    upstream: Upstream, *, with_body: bool = False, max_bytes: int | None = None
) -> Response:
    """The service's answer to this request; raises UpstreamUnavailable.

    The body is read only `with_body`: 413 if it has more than `max_bytes`, or than the server's
    limit for any body. Raises InvalidDigest, and MismatchedDigest if it is not the one that was
    meant.
    """
    if max_bytes is not None:
        request.max_content_length = max_bytes
    return respond(_send(upstream, _body() if with_body else b""))


def forward_coalesced(
    upstream: Upstream, coalescer: RequestCoalescer[UpstreamResponse]
) -> Response:
    """As `forward`, for a read that has the same answer for everybody who may ask.

    Equal requests that come while the service works on one share the next answer. Raises
    UpstreamUnavailable.
    """
    key = (request.full_path, *(request.headers.get(name) for name in _DECISIVE))
    return respond(coalescer.call(key, lambda: _send(upstream, b"")))


def forward_for_all(upstream: Upstream, coalescer: RequestCoalescer[UpstreamResponse]) -> Response:
    """As `forward_coalesced`, where the path alone decides the answer, whatever else is asked.

    No query and no header makes the service work once more.
    """
    path = request.path
    return respond(coalescer.call(path, lambda: ask(upstream, "GET", path)))


def forward_streamed(upstream: Upstream) -> Response:
    """As `forward`, for a read whose answer may be long: it is handed back as it comes.

    Raises UpstreamUnavailable before it begins; what breaks off is broken off here, too.
    """
    answer = upstream.stream(
        quote(request.path),
        query=request.query_string.decode("latin-1"),
        headers=request.headers,
        client_address=request.remote_addr or "",
    )
    response = Response(answer.chunks, answer.status, headers=dict(answer.headers))
    response.call_on_close(answer.close)
    return response


def ask(
    upstream: Upstream,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    media_type: str = "application/json",
    query: str = "",
) -> UpstreamResponse:
    """What the service answers the user of this request, who did not ask for just that.

    Raises UpstreamUnavailable.
    """
    return upstream.send(
        method,
        path,
        query=query,
        headers={
            "Authorization": request.headers.get("Authorization", ""),
            "Content-Type": media_type,
        },
        body=body,
        client_address=request.remote_addr or "",
    )


def _body() -> bytes:
    digest = ContentDigest.from_header(request.headers.get("Content-Digest"))
    body = request.get_data(cache=False)
    return body if digest is None else b"".join(digest.checked([body]))


def _send(upstream: Upstream, body: bytes) -> UpstreamResponse:
    return upstream.send(
        # The length and the tag of an answer to HEAD are those of what GET would answer.
        "GET" if request.method == "HEAD" else request.method,
        quote(request.path),
        query=request.query_string.decode("latin-1"),
        headers=request.headers,
        body=body,
        client_address=request.remote_addr or "",
    )


def respond(answer: UpstreamResponse) -> Response:
    """The service's answer as ours."""
    response = Response(answer.body, answer.status, headers=dict(answer.headers))
    if "Content-Type" not in answer.headers:
        del response.headers["Content-Type"]
    return response
