"""My own account: what I may do, and my password."""

from flask import Response, g, request

from gateway.services import services
from gateway.web.api_client import call, log_in
from gateway.web.pages import PageBlueprint, page
from gateway.web.session import session_cookie
from gateway.web.wording import PERMISSIONS
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("account", __name__)


@pages.get("/account")
@requires()
def show() -> Response:
    """Who I am, what I may do, and the form for another password."""
    return _show()


@pages.post("/account/password")
@requires()
def change_password() -> Response:
    """Change my password, which ends my sessions, and begin this one anew."""
    new = request.form.get("new_password", "")
    if new != request.form.get("new_password_again"):
        differ = "The two new passwords are not the same."
        return _show(Problem("invalid-request", differ))
    change = {"current_password": request.form.get("current_password", ""), "new_password": new}
    try:
        call(services().auth, "POST", "/v1/me/password", body=change)
        token, seconds = log_in(services().auth, g.principal.email, new)
    except Problem as problem:
        if problem.status not in {422, 429}:
            raise
        return _show(problem)
    response = _show(changed=True)
    session_cookie().set(response, token, seconds)
    return response


def _show(problem: Problem | None = None, *, changed: bool = False) -> Response:
    status = problem.status if problem else 200
    return page("account.html", status, permissions=PERMISSIONS, problem=problem, changed=changed)
