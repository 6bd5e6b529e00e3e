"""Sign in and out."""

from flask import Response, request

from gateway.errors import UpstreamUnavailable
from gateway.services import services
from gateway.web.api_client import log_in, log_out
from gateway.web.pages import PageBlueprint, go, own_path, page, show_problem
from gateway.web.session import session_cookie
from muster.http.problems import Problem
from muster.http.tokens import authenticate

pages = PageBlueprint("signing_in", __name__)


@pages.get("/login")
def sign_in() -> Response:
    """The form to sign in."""
    return page("login.html", next=own_path(request.args.get("next")))


@pages.post("/login")
def begin() -> Response:
    """Sign in: on to the page that was asked for, or the form again with what is wrong."""
    email, onward = request.form.get("email", ""), own_path(request.form.get("next"))
    try:
        token, seconds = log_in(services().auth, email, request.form.get("password", ""))
    except Problem as problem:
        if problem.status not in {401, 422, 429}:
            raise
        return page("login.html", problem.status, email=email, next=onward, problem=problem)
    response = go(onward)
    session_cookie().set(response, token, seconds)
    return response


@pages.post("/logout")
def sign_out() -> Response:
    """Sign out, whoever is signed in: their token ends, and the browser forgets it."""
    response = _end_token() or go("/login")
    session_cookie().delete(response)
    return response


def _end_token() -> Response | None:
    try:
        principal = authenticate()
        log_out(services().auth)
        services().tokens.end(principal)
    except Problem as problem:
        # A token that has ended need not be ended again.
        return None if problem.status == 401 else _show_still_valid()
    except UpstreamUnavailable:
        return _show_still_valid()
    return None


def _show_still_valid() -> Response:
    detail = (
        "This browser has forgotten the session. But the auth service does not answer, so a copy "
        "of the session, if there is one, stays valid until its time is over."
    )
    return show_problem(Problem("unavailable", detail), "Signed out of this browser only")
