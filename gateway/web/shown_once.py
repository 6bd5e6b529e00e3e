"""Secrets that a page shows once: keys, and secrets of webhooks.

The form that makes one is answered by a redirect, so that loading the page again makes no second
one. The secret goes with the redirect in a cookie, which the page that shows it takes away.
"""

from dataclasses import replace
from typing import Any

from flask import Response, after_this_request, request

from gateway.web.pages import go
from gateway.web.session import HostCookie, session_cookie

# Longer than any redirect takes; a secret that was not shown by then is lost.
_SECONDS = 60


def go_and_show(location: str, id: str, secret: str) -> Response:
    """A redirect to the page that shows the secret of what has that id."""
    response = go(location)
    _cookie().set(response, f"{id}.{secret}", _SECONDS)
    return response


def shown_once(made: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Which of those that were made has a secret to be shown now, with it under `name`."""
    cookie = _cookie()
    id, _, secret = request.cookies.get(cookie.name, "").partition(".")
    found = next((each for each in made if each["id"] == id), None)
    if found is None or not secret:
        return None

    @after_this_request
    def forget(response: Response) -> Response:
        cookie.delete(response)
        return response

    return {**found, name: secret}


def _cookie() -> HostCookie:
    return replace(session_cookie(), plain_name="muster_shown_once")
