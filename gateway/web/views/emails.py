"""Which emails about my uploads I get."""

from flask import Response, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, page
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("emails", __name__)


@pages.get("/account/emails")
@requires()
def show() -> Response:
    """The choices, and which is mine."""
    return _show(call(services().auth, "GET", "/v1/me")["emails"])


@pages.post("/account/emails")
@requires()
def choose() -> Response:
    """Choose another; uploads that finish from now on keep to it."""
    emails = request.form.get("emails", "")
    try:
        me = call(services().auth, "PATCH", "/v1/me", body={"emails": emails})
    except Problem as problem:
        if problem.status != 422:
            raise
        return _show(None, problem)
    return _show(me["emails"], changed=True)


def _show(chosen: str | None, problem: Problem | None = None, *, changed: bool = False) -> Response:
    status = problem.status if problem else 200
    return page("emails.html", status, chosen=chosen, problem=problem, changed=changed)
