"""Uploads sent by forms: a file where there are no scripts, and mended rows."""

import io
import re
from dataclasses import replace
from pathlib import PurePosixPath

from flask import Response, g, request, url_for

from gateway.services import services
from gateway.uploads.accept import Submission
from gateway.uploads.corrections import as_file, mended_rows
from gateway.uploads.filenames import inflated_name
from gateway.uploads.request_body import Body
from gateway.views.bodies import request_body
from gateway.web.forms import allow_form
from gateway.web.pages import Pages, go
from gateway.web.rejected import rejects_page
from gateway.web.views.uploads import show_upload
from muster.contracts.uploads import Options, Upload
from muster.http.tokens import requires

pages = Pages("sending_pages", __name__)

# Of 50 rows, with as many cells as any file of ours has.
_MOST_FIELDS = 50 * 64
_CELL = re.compile(r"c([0-9]{1,18})-([0-9]{1,9})", re.ASCII)


@pages.post("/uploads")
@requires("uploads:write")
def send_file() -> Response:
    """Upload the file of a form; what is asked for besides stands in the form's address."""
    options = Options(dry_run=request.args.get("dry_run") == "true")
    submission = Submission(options, request.args.get("table"))
    return _on_to(services().uploads.accept(g.principal, submission, request_body()))


@pages.post("/uploads/<id>/mended")
@requires("uploads:write")
def send_mended(id: str) -> Response:
    """Upload the rows that were changed on a page of the rejected ones."""
    allow_form(request, services().limits.corrections_bytes, _MOST_FIELDS)
    upload, rejects = rejects_page(id)
    cells = {
        (int(found[1]), int(found[2])): text
        for name, text in request.form.items()
        if (found := _CELL.fullmatch(name))
    }
    rows = mended_rows(rejects, cells)
    if not rows:
        complaint = "No cell was changed yet, so there is nothing to send."
        return show_upload(id, 422, complaint)
    return _on_to(_accept_mended(upload, as_file(rejects.labels, rows)))


def _on_to(upload: Upload) -> Response:
    return go(url_for("uploads_pages.one", id=upload.id))


def _accept_mended(upload: Upload, content: bytes) -> Upload:
    stem = PurePosixPath(inflated_name(upload.filename)).stem.removesuffix(".mended")
    options = replace(upload.options, header="present", delimiter=",", encoding="utf-8", columns="")
    submission = Submission(options, upload.table, f"{stem[:200]}.mended.csv", previous=upload.id)
    body = Body(
        stream=io.BytesIO(content),
        media_type="text/csv",
        parameters={},
        coding="identity",
        length=len(content),
        limit=services().limits.upload_bytes,
    )
    return services().uploads.accept(g.principal, submission, body)
