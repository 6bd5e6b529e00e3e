"""The audit log, for whoever may administer users."""

from datetime import datetime

from flask import Response, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, page
from gateway.web.titles import titles_of
from gateway.web.wording import ACTIONS
from muster.contracts.tables import tables
from muster.contracts.wording import row_in_table
from muster.http.tokens import requires

pages = PageBlueprint("audit_pages", __name__)


@pages.get("/audit")
@requires("users:admin")
def show() -> Response:
    """Who did what, newest first."""
    asked = {name: request.args[name] for name in ("action", "cursor") if request.args.get(name)}
    found = call(services().auth, "GET", "/v1/audit", query=asked)
    entries = [{**it, "at": datetime.fromisoformat(it["at"])} for it in found["entries"]]
    return page(
        "audit.html",
        entries=entries,
        erased=_erased,
        undone=titles_of(it["subject"] for it in entries if it["action"] == "undo"),
        next=found["next"],
        action=asked.get("action"),
        is_first="cursor" not in asked,
        actions=ACTIONS,
    )


def _erased(subject: str) -> str:
    """What the page calls the row of `departments 7`."""
    name, _, key = subject.rpartition(" ")
    return row_in_table(name, key) if name in tables() else subject
