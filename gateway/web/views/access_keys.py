"""My access keys: those there are, and the form for another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, g, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, go, page
from gateway.web.shown_once import form_id, go_and_show, made_once, shown_once
from gateway.web.wording import PERMISSIONS
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("keys_pages", __name__)

_DAYS = (30, 90, 365)
_TIMES = ("created_at", "expires_at", "last_used_at")


@pages.get("/account/keys")
@requires()
def show() -> Response:
    """My access keys."""
    return _show()


@pages.post("/account/keys")
@requires(by_key=False)
def make() -> Response:
    """Make a key, which is shown once."""
    days = request.form.get("days", "")
    new: dict[str, Any] = {
        "name": request.form.get("name", ""),
        "permissions": request.form.getlist("permission"),
        "days": int(days) if days in map(str, _DAYS) else _DAYS[0],
    }
    wanted = {
        "name": new["name"],
        "permissions": new["permissions"],
        "expires_at": (datetime.now(UTC) + timedelta(days=new["days"])).isoformat(),
    }
    try:
        with made_once():
            made = call(services().auth, "POST", "/v1/keys", body=wanted)
    except Problem as problem:
        if problem.status not in {409, 422}:
            raise
        return _show(problem, new=new)
    return go_and_show("/account/keys", made["id"], made["key"])


@pages.post("/account/keys/<id>/revoke")
@requires(by_key=False)
def revoke(id: str) -> Response:
    """Revoke a key; one that is gone is."""
    # Ids are letters and digits; anything else must not become a part of the path.
    if id.isalnum():
        try:
            call(services().auth, "DELETE", f"/v1/keys/{id}")
        except Problem as problem:
            if problem.status != 404:
                raise
        services().tokens.end(replace(g.principal, token_id=id))
    return go("/account/keys")


def _show(
    problem: Problem | None = None,
    *,
    new: dict[str, Any] | None = None,
) -> Response:
    found = call(services().auth, "GET", "/v1/keys")["keys"]
    return page(
        "keys.html",
        problem.status if problem else 200,
        keys=[_with_times(key) for key in found],
        permissions=PERMISSIONS,
        mine={name: text for name, text in PERMISSIONS.items() if g.principal.may(name)},
        problem=problem,
        new=new or {},
        made=shown_once(found, "key"),
        form=form_id(),
    )


def _with_times(key: dict[str, Any]) -> dict[str, Any]:
    times = {name: key[name] and datetime.fromisoformat(key[name]) for name in _TIMES}
    return {**key, **times, "is_over": times["expires_at"] <= datetime.now(UTC)}
