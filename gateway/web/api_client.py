"""Calls that a page makes to the services behind, on behalf of the user who looks at it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request
from werkzeug.datastructures import Authorization

from gateway.errors import UpstreamUnavailable
from gateway.proxy.upstream import Upstream, UpstreamResponse
from muster.contracts.problems import kind_of
from muster.http.problems import Problem

_MAX_CREDENTIALS = 2048


def call(
    upstream: Upstream,
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The JSON that the service answers with, None without a body.

    Raises Problem, with the service's own words, where it refuses, and UpstreamUnavailable.
    """
    answer = send(upstream, method, path, query=query, body=body, headers=headers)
    return json.loads(answer.body) if answer.body else None


def send(
    upstream: Upstream,
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> UpstreamResponse:
    """As `call`, but the response as it came."""
    sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    if "Authorization" in request.headers:
        sent.setdefault("Authorization", request.headers["Authorization"])
    answer = upstream.send(
        method,
        path,
        query=urlencode(query or {}),
        headers=sent,
        body=b"" if body is None else json.dumps(body).encode(),
        client_address=request.remote_addr or "",
    )
    if answer.status >= 400:
        raise _refusal(upstream, answer)
    return answer


def path_to(kind: str, id: str) -> str:
    """The path of one of the `users` or `webhooks`; raises Problem 404 for what is no id."""
    # Ids are letters and digits; anything else must not become a part of the path.
    if not (id.isascii() and id.isalnum()):
        raise Problem("not-found", f"There is no such {kind.removesuffix('s')}.")
    return f"/v1/{kind}/{id}"


def log_in(auth: Upstream, email: str, password: str) -> tuple[str, int]:
    """A token for the user, and its seconds; raises Problem 401 and 429."""
    if len(email) + len(password) > _MAX_CREDENTIALS:
        # Nobody has such a password, and the head of a request to auth can't hold it.
        raise Problem("unauthorized", "Wrong email or password.")
    basic = Authorization("basic", {"username": email, "password": password}).to_header()
    answer = call(auth, "POST", "/v1/login", headers={"Authorization": basic})
    return answer["access_token"], answer["expires_in"]


def log_out(auth: Upstream) -> None:
    """End the token of this request; raises Problem and UpstreamUnavailable."""
    call(auth, "POST", "/v1/logout")


def _refusal(upstream: Upstream, answer: UpstreamResponse) -> Problem:
    try:
        document = json.loads(answer.body)
    except ValueError:
        # Whatever answered is not one of our services.
        raise UpstreamUnavailable(upstream.service) from None
    kept = {name: answer.headers[name] for name in ("Retry-After",) if name in answer.headers}
    return Problem(
        # A service of a later version may know more of them.
        kind_of(document["type"], answer.status),
        document["detail"],
        errors=document.get("errors", ()),
        headers=kept,
    )
