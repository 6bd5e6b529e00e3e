"""Secrets that a page makes once and shows once: keys, and secrets of webhooks.

The form that makes one is answered by a redirect, so that loading the page again makes no second
one. The secret goes with the redirect in a cookie, which the page that shows it takes away. The
form itself has an id, so that a second click on its button makes none either.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from flask import Response, after_this_request, g, request

from gateway.services import services
from gateway.web.pages import go
from gateway.web.session import HostCookie, session_cookie
from muster.http.problems import Problem
from muster.uploadstore import KeyTaken
from muster.weather import StoreUnavailable

# Longer than any redirect takes, and than anybody presses a button again without looking; a secret
# that was not shown by then is lost.
_SECONDS = 60
# Of the claims, which else are of users and their idempotency keys. No user has this id.
_FORMS = "forms"
_FORM_ID = re.compile("[0-9a-f]{32}")


def form_id() -> str:
    """What a form that makes a secret sends as `form`, to be known again."""
    return uuid.uuid4().hex


@contextmanager
def made_once() -> Iterator[None]:
    """Within, the form makes its secret, unless the same form was sent within the last minute.

    Raises Problem 409 if it was, and StoreUnavailable. After a Problem the form may be sent again.
    """
    form = request.form.get("form", "")
    if not _FORM_ID.fullmatch(form):
        # It was drawn by a version that gave it no id.
        yield
        return
    claim = _FORMS, f"{g.principal.id} {form}"
    try:
        services().records.claim_key(*claim, _SECONDS)
    except KeyTaken as taken:
        detail = "This was sent twice, and done once. If you do not see the secret, make another."
        raise Problem("idempotency-key-in-flight", detail) from taken
    try:
        yield
    except Problem:
        with suppress(StoreUnavailable):
            services().records.release_key(*claim)
        raise


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
