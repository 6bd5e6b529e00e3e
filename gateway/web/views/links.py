"""The pages of one-time links: ask for one, set a password by one, accept an invitation."""

from flask import Response, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, page
from muster.http.problems import Problem

pages = PageBlueprint("links_pages", __name__)

_DIFFER = "The two passwords are not the same."
_SHOWN = {409, 410, 422, 429}


@pages.get("/forgot-password")
def forgot() -> Response:
    """The form to ask for a link."""
    return page("forgot.html")


@pages.post("/forgot-password")
def ask_for_link() -> Response:
    """Have a link sent, if there is such a user; the page does not tell."""
    email = request.form.get("email", "").strip()
    try:
        call(services().auth, "POST", "/v1/password-resets", body={"email": email})
    except Problem as problem:
        if problem.status not in _SHOWN:
            raise
        return page("forgot.html", problem.status, problem=problem, email=email)
    return page("forgot.html", asked=True, email=email)


@pages.get("/new-password")
def new_password() -> Response:
    """Where the link of an email leads: the form for a new password."""
    return page("link.html", kind="password-reset")


@pages.post("/new-password")
def set_password() -> Response:
    """Set a new password by what stood in the link."""
    return _use("password-reset", "/v1/password-resets")


@pages.get("/invitation")
def invitation() -> Response:
    """Where the link of an invitation leads: the form for a password."""
    return page("link.html", kind="invitation")


@pages.post("/invitation")
def accept() -> Response:
    """Become a user by what stood in the link."""
    return _use("invitation", "/v1/invitations")


def _use(kind: str, path: str) -> Response:
    token, password = request.form.get("token", "").strip(), request.form.get("password", "")
    try:
        if password != request.form.get("password_again"):
            raise Problem("invalid-request", _DIFFER)
        call(services().auth, "PUT", path, body={"token": token, "password": password})
    except Problem as problem:
        if problem.status not in _SHOWN:
            raise
        # The token stays in the form, and never gets into an address.
        return page("link.html", problem.status, kind=kind, problem=problem, token=token)
    return page("link.html", kind=kind, done=True)
