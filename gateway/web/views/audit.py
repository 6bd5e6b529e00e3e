"""The audit log, for whoever may administer users."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Response, g, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, page
from gateway.web.wording import ACTIONS, title_of
from muster.contracts.uploads import UnreadableRecord
from muster.http.tokens import requires
from muster.uploadstore import UploadNotFound
from muster.weather import StoreUnavailable

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
        undone=_undone_in(entries),
        next=found["next"],
        action=asked.get("action"),
        is_first="cursor" not in asked,
        actions=ACTIONS,
    )


def _undone_in(entries: list[dict[str, Any]]) -> Mapping[str, str]:
    """What the page calls the uploads that were to be undone, by id; those the user may see."""
    titles: dict[str, str] = {}
    if not g.principal.may("uploads:read", "uploads:admin"):
        return titles
    for id in {entry["subject"] for entry in entries if entry["action"] == "undo"}:
        with suppress(UploadNotFound, UnreadableRecord, StoreUnavailable):
            titles[id] = title_of(services().access.get(g.principal, id))
    return titles
