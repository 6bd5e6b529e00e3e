"""My webhooks: those there are, the form for another, and one of them with its deliveries."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response, request

from gateway.proxy.audit import host_of, note
from gateway.services import services
from gateway.web.api_client import call, path_to
from gateway.web.pages import PageBlueprint, go, page
from gateway.web.shown_once import form_id, go_and_show, made_once, shown_once
from gateway.web.titles import titles_of
from gateway.web.wording import DELIVERIES
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("webhooks_pages", __name__)

_PATH = "/account/webhooks"
_DELIVERY = re.compile(r"msg_[0-9a-f]{32}")
_TIMES = ("created_at", "failing_since", "last_attempt_at", "next_attempt_at")
# What is said on the page itself, which keeps what was filled in.
_SAID_THERE = frozenset({409, 422, 429})


@pages.get(_PATH)
@requires()
def show() -> Response:
    """My webhooks."""
    return _show_all()


@pages.post(_PATH)
@requires(by_key=False)
def make() -> Response:
    """Register a webhook, whose secret is shown once."""
    new = _filled_in()
    try:
        with made_once():
            note(services().auth, "webhook-made", host_of(new["url"]))
            made = call(services().notification, "POST", "/v1/webhooks", body=new)
    except Problem as problem:
        return _show_all(_said_there(problem), new=new)
    return go_and_show(_PATH, made["id"], made["secret"])


@pages.get(f"{_PATH}/<id>")
@requires()
def one(id: str) -> Response:
    """One of them, to be changed, and what was sent to it."""
    return _show_one(id)


@pages.post(f"{_PATH}/<id>")
@requires(by_key=False)
def change(id: str) -> Response:
    """Change its URL or description."""
    new = _filled_in()
    try:
        _change(id, new)
    except Problem as problem:
        return _show_one(id, _said_there(problem), new=new)
    return go(f"{_PATH}/{id}")


@pages.post(f"{_PATH}/<id>/enable")
@requires(by_key=False)
def enable(id: str) -> Response:
    """Have it called again."""
    _change(id, {"enabled": True})
    return go(f"{_PATH}/{id}")


@pages.post(f"{_PATH}/<id>/disable")
@requires(by_key=False)
def disable(id: str) -> Response:
    """Have it called no more; what waits for it is dead."""
    _change(id, {"enabled": False})
    return go(f"{_PATH}/{id}")


@pages.post(f"{_PATH}/<id>/secret")
@requires(by_key=False)
def renew_secret(id: str) -> Response:
    """Give it a new secret, which is shown once."""
    try:
        with made_once():
            made = _change(id, {"rotate_secret": True})
    except Problem as problem:
        return _show_one(id, _said_there(problem))
    return go_and_show(f"{_PATH}/{id}", made["id"], made["secret"])


@pages.post(f"{_PATH}/<id>/delete")
@requires(by_key=False)
def delete(id: str) -> Response:
    """Remove it with its deliveries; one that is gone is."""
    path = path_to("webhooks", id)
    note(services().auth, "webhook-deleted", id)
    try:
        call(services().notification, "DELETE", path)
    except Problem as problem:
        if problem.status != 404:
            raise
    return go(_PATH)


@pages.post(f"{_PATH}/<id>/test")
@requires()
def test(id: str) -> Response:
    """Send it a test."""
    return _send(id, f"{path_to('webhooks', id)}/test")


@pages.post(f"{_PATH}/<id>/deliveries/<delivery>/replay")
@requires()
def replay(id: str, delivery: str) -> Response:
    """Send a delivery again."""
    if not _DELIVERY.fullmatch(delivery):
        raise Problem("not-found", "There is no such delivery.")
    return _send(id, f"{path_to('webhooks', id)}/deliveries/{delivery}/replay")


def _show_all(
    problem: Problem | None = None,
    *,
    new: Mapping[str, str] | None = None,
) -> Response:
    found = call(services().notification, "GET", "/v1/webhooks")["webhooks"]
    return page(
        "webhooks.html",
        problem.status if problem else 200,
        webhooks=[_with_times(each) for each in found],
        problem=problem,
        new=new or {},
        made=shown_once(found, "secret"),
        form=form_id(),
    )


def _show_one(
    id: str,
    problem: Problem | None = None,
    *,
    new: Mapping[str, str] | None = None,
) -> Response:
    webhook = call(services().notification, "GET", path_to("webhooks", id))
    asked = {"cursor": request.args["cursor"]} if request.args.get("cursor") else {}
    found = call(
        services().notification, "GET", f"{path_to('webhooks', id)}/deliveries", query=asked
    )
    return page(
        "webhook.html",
        problem.status if problem else 200,
        webhook=_with_times(webhook),
        deliveries=[_with_times(each) for each in found["deliveries"]],
        titles=titles_of(each["upload"] for each in found["deliveries"] if each["upload"]),
        next=found["next"],
        is_first=not asked,
        problem=problem,
        new=new or webhook,
        made=shown_once([webhook], "secret"),
        form=form_id(),
        words=DELIVERIES,
    )


def _change(id: str, changes: Mapping[str, object]) -> Any:
    path = path_to("webhooks", id)
    note(services().auth, "webhook-changed", id)
    return call(services().notification, "PATCH", path, body=changes)


def _send(id: str, path: str) -> Response:
    try:
        call(services().notification, "POST", path)
    except Problem as problem:
        return _show_one(id, _said_there(problem))
    return go(f"{_PATH}/{id}#deliveries")


def _filled_in() -> dict[str, str]:
    return {name: request.form.get(name, "").strip() for name in ("url", "description")}


def _said_there(problem: Problem) -> Problem:
    """The problem, if the page itself says it; else raises it."""
    if problem.status not in _SAID_THERE:
        raise problem
    return problem


def _with_times(shown: dict[str, Any]) -> dict[str, Any]:
    known = [name for name in _TIMES if shown.get(name)]
    return {**shown, **{name: datetime.fromisoformat(shown[name]) for name in known}}
