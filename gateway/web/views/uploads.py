"""The uploads: those there are, and one of them with its rejected rows."""

from dataclasses import asdict

import structlog
from flask import Response, g, request, url_for

from gateway.api.pagination import from_cursor, to_cursor
from gateway.api.responses import represent
from gateway.services import services
from gateway.web.pages import Pages, go, page
from gateway.web.rejected import REJECTS_A_PAGE, rejects_page
from gateway.web.wording import CODES, STATES, wishes
from muster.contracts.encodings import NAMES
from muster.contracts.tables import tables
from muster.contracts.uploads import State
from muster.contracts.wording import counts, sentence
from muster.csvstore import FileDamaged, FileNotStored
from muster.http.tokens import requires

log = structlog.get_logger(__name__)

pages = Pages("uploads_pages", __name__)

_UPLOADS_A_PAGE = 20
_READERS = ("uploads:read", "uploads:admin")
_OTHER_PAGES = {"/questions": "queries:read", "/users": "users:admin"}


@pages.get("/")
@requires()
def front() -> Response:
    """The form to upload, and my uploads, newest first; for whom neither is, another page."""
    if not g.principal.may("uploads:write", *_READERS):
        others = (path for path, needed in _OTHER_PAGES.items() if g.principal.may(needed))
        return go(next(others, "/account"))
    if not g.principal.may(*_READERS):
        return page(
            "uploads.html", uploads=[], tables=tables().values(), states=STATES, encodings=NAMES
        )
    state, table = request.args.get("state") or None, request.args.get("table") or None
    cursor = request.args.get("cursor")
    found = services().records.list(
        g.principal,
        state=None if state not in set(State) else State(state),
        table=table,
        before=None if cursor is None else from_cursor(cursor),
        limit=_UPLOADS_A_PAGE,
    )
    return page(
        "uploads.html",
        uploads=found.uploads,
        next=None if found.next is None else to_cursor(found.next),
        is_first=cursor is None,
        state=state,
        table=table,
        tables=tables().values(),
        states=STATES,
        encodings=NAMES,
    )


@pages.get("/uploads/<id>")
@requires(*_READERS)
def one(id: str) -> Response:
    """One upload, and its rejected rows to mend."""
    return show_upload(id)


@pages.post("/uploads/<id>/cancel")
@requires("uploads:write", "uploads:admin")
def cancel(id: str) -> Response:
    """Ask for an upload to be cancelled."""
    services().records.cancel(g.principal, id)
    return go(url_for("uploads_pages.one", id=id))


def show_upload(id: str, status: int = 200, complaint: str | None = None) -> Response:
    """The page of one upload, with a complaint about what was sent from it."""
    upload = services().records.get(g.principal, id)
    rejects = None
    if upload.state.is_final and upload.rows.rejected:
        try:
            upload, rejects = rejects_page(id)
        except (FileNotStored, FileDamaged) as error:
            log.error("no rejects to show", error=repr(error))
    return page(
        "upload.html",
        status,
        upload=upload,
        document=represent(upload),
        states=STATES,
        codes=CODES,
        counts=list(zip(counts(upload), asdict(upload.rows), strict=True)),
        sentence=sentence(upload) if upload.state.is_final else None,
        rejects=rejects,
        page_size=REJECTS_A_PAGE,
        mending=services().records.mending(g.principal, id),
        wishes=wishes(upload.options),
        complaint=complaint,
    )
