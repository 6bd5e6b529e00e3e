"""The users, for whoever may administer them."""

from typing import Any

from flask import Response, request

from gateway.services import services
from gateway.web.api_client import call, path_to
from gateway.web.pages import PageBlueprint, go, page
from gateway.web.wording import PERMISSIONS
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("users_pages", __name__)


@pages.get("/users")
@requires("users:admin")
def everybody() -> Response:
    """All users, and the form to add one."""
    return _show_all()


@pages.post("/users")
@requires("users:admin")
def add() -> Response:
    """Add a user."""
    new = {
        "email": request.form.get("email", "").strip(),
        "password": request.form.get("password", ""),
        "permissions": request.form.getlist("permission"),
    }
    try:
        added = call(services().auth, "POST", "/v1/users", body=new)
    except Problem as problem:
        if problem.status not in {409, 422}:
            raise
        return _show_all(problem, new)
    return go(f"/users#user-{added['id']}")


@pages.post("/users/invite")
@requires("users:admin", by_key=False)
def invite() -> Response:
    """Invite somebody by email."""
    new: dict[str, Any] = {
        "email": request.form.get("email", "").strip(),
        "permissions": request.form.getlist("permission"),
    }
    try:
        call(services().auth, "POST", "/v1/invitations", body=new)
    except Problem as problem:
        if problem.status not in {409, 422, 429}:
            raise
        return _show_all(problem, new)
    return _show_all(invited=new["email"])


@pages.get("/users/<id>")
@requires("users:admin")
def one(id: str) -> Response:
    """One user, to be changed."""
    return _show_one(id)


@pages.post("/users/<id>")
@requires("users:admin")
def change(id: str) -> Response:
    """Change what a user may do, whether they are disabled, or their password."""
    changes: dict[str, Any] = {
        "permissions": request.form.getlist("permission"),
        "disabled": "disabled" in request.form,
    }
    if request.form.get("password"):
        changes["password"] = request.form["password"]
    try:
        call(services().auth, "PATCH", path_to("users", id), body=changes)
    except Problem as problem:
        if problem.status not in {409, 422}:
            raise
        return _show_one(id, problem)
    return go(f"/users#user-{id}")


@pages.post("/users/<id>/delete")
@requires("users:admin")
def delete(id: str) -> Response:
    """Remove a user; their uploads stay."""
    try:
        call(services().auth, "DELETE", path_to("users", id))
    except Problem as problem:
        if problem.status != 409:
            raise
        return _show_one(id, problem)
    return go("/users")


def _show_all(
    problem: Problem | None = None,
    new: dict[str, Any] | None = None,
    invited: str | None = None,
) -> Response:
    users = call(services().auth, "GET", "/v1/users")["users"]
    status = problem.status if problem else 200
    return page(
        "users.html",
        status,
        users=users,
        permissions=PERMISSIONS,
        problem=problem,
        new=new or {},
        invited=invited,
    )


def _show_one(id: str, problem: Problem | None = None) -> Response:
    user = call(services().auth, "GET", path_to("users", id))
    status = problem.status if problem else 200
    return page("user.html", status, user=user, permissions=PERMISSIONS, problem=problem)
