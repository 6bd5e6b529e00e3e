"""Sign in and out."""

from flask import Response, request

from gateway.services import services
from gateway.web.asking import log_in
from gateway.web.pages import Pages, go, own_path, page
from gateway.web.session import begin_session, end_session
from muster.problems import Problem

pages = Pages("signing_in", __name__)


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
    begin_session(response, token, seconds)
    return response


@pages.post("/logout")
def sign_out() -> Response:
    """Sign out, whoever is signed in."""
    response = go("/login")
    end_session(response)
    return response
