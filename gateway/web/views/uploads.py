"""The uploads: those there are, one of them with its rejected rows, and forms that send more."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import count

import structlog
from flask import Response, g, request, url_for

from gateway.api.requests import request_body
from gateway.api.uploads import reader
from gateway.errors import UndoOfIt
from gateway.proxy.audit import note
from gateway.services import services
from gateway.uploads.accept import Submission
from gateway.uploads.corrections import (
    RejectsPage,
    as_file,
    corrected_rows,
    group_by_cause,
    read_page,
    submission_of,
)
from gateway.uploads.listing import UploadFilter
from gateway.uploads.load import LoadRequest
from gateway.uploads.undo import UndoRequest
from gateway.web.forms import allow_form
from gateway.web.pages import PageBlueprint, go, page
from gateway.web.wording import CODES, EMAILS, STATES, WORDS, standing, wishes
from muster.contracts.encodings import NAMES
from muster.contracts.tables import Table, tables
from muster.contracts.upload_document import represent
from muster.contracts.uploads import PREVIEW_BYTES, Options, State, UnreadableRecord, Upload
from muster.contracts.wording import advice, counts, sentence, spoken_names, title_of, undone
from muster.filestore import FileNotStored
from muster.http.problems import Problem
from muster.http.tokens import requires
from muster.uploadstore import UploadNotFound
from muster.weather import FileDamaged

log = structlog.get_logger(__name__)

pages = PageBlueprint("uploads_pages", __name__)

_UPLOADS_PER_PAGE = 20
# A larger file is sent in parts, where there are scripts.
_WHOLE_BYTES = 8 * 1024**2
# A page in which each row has fields must not be too much for a browser.
_REJECTS_PER_PAGE = 500
_REJECTS_SIZE = 1024**2
# Of a page of rejects, with as many cells as any file of ours has.
_MAX_FIELDS = _REJECTS_PER_PAGE * 64
_CELL = re.compile(r"c([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_AGAIN = re.compile(r"again([0-9]{1,18})", re.ASCII)
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
            "uploads.html",
            uploads=[],
            tables=tables().values(),
            states=STATES,
            words=WORDS,
            encodings=NAMES,
            sizes=_sizes(),
        )
    wanted, cursor = _wanted(), request.args.get("cursor")
    found = services().access.list(
        g.principal, _filter_of(wanted), cursor=cursor, limit=_UPLOADS_PER_PAGE
    )
    return page(
        "uploads.html",
        uploads=found.uploads,
        late_since=services().queue.late_since(),
        next=found.next,
        is_first=cursor is None,
        wanted=wanted,
        tables=tables().values(),
        states=STATES,
        words=WORDS,
        title_of=title_of,
        undone=undone,
        encodings=NAMES,
        sizes=_sizes(),
    )


def _sizes() -> dict[str, int]:
    """How many bytes of a text, or of a workbook, are previewed, and a file not in parts has."""
    return {
        "text": PREVIEW_BYTES,
        "workbook": services().limits.preview_bytes,
        "whole": _WHOLE_BYTES,
    }


@pages.post("/uploads")
@requires("uploads:write")
def send_file() -> Response:
    """Upload the file of a form, where there are no scripts; options are in the form's address."""
    options = Options(dry_run=request.args.get("dry_run") == "true")
    submission = Submission(g.principal, request_body(), options, request.args.get("table"))
    return _go_to(services().uploads.accept(submission).upload)


@pages.get("/uploads/<id>")
@requires(*_READERS)
def one(id: str) -> Response:
    """One upload, and its rejected rows to correct."""
    return _show_upload(id)


@pages.post("/uploads/<id>/cancel")
@requires("uploads:write", "uploads:undo", "uploads:admin")
def cancel(id: str) -> Response:
    """Ask for an upload to be cancelled."""
    services().access.cancel(g.principal, id)
    return go(url_for("uploads_pages.one", id=id))


@pages.post("/uploads/<id>/load")
@requires("uploads:write", "uploads:admin")
def load(id: str) -> Response:
    """Load what a dry run checked, once however often the button is pressed."""
    *_, (key, loaded) = _loads_of(id)
    if loaded is None:
        loaded = services().loads.accept(LoadRequest(g.principal, id, key)).upload
    return _go_to(loaded)


@pages.post("/uploads/<id>/undo")
@requires("uploads:undo", "uploads:admin")
def undo(id: str) -> Response:
    """Undo an upload, or see first what that would do: on the page of the undo."""
    options = Options(
        mode="all" if request.form.get("mode") == "all" else "possible",
        dry_run=request.form.get("dry_run") == "true",
    )
    if not options.dry_run:
        note(services().auth, "undo", id)
    try:
        return _go_to(services().undos.accept(UndoRequest(g.principal, id, options)).upload)
    except UndoOfIt as error:
        if error.undo is None:
            raise
        return _go_to(error.undo)


@pages.post("/uploads/<id>/corrections")
@requires("uploads:write")
def send_corrections(id: str) -> Response:
    """Upload the rows that were changed on a page of the rejected ones."""
    limits = services().limits
    allow_form(request, limits.corrections_bytes, _MAX_FIELDS)
    upload, rejects = _rejects_page(id)
    cells = {
        (int(found[1]), int(found[2])): text
        for name, text in request.form.items()
        if (found := _CELL.fullmatch(name))
    }
    again = {int(found[1]) for name in request.form if (found := _AGAIN.fullmatch(name))}
    rows = corrected_rows(rejects, cells, again)
    if not rows:
        complaint = "No cell was changed yet, so there is nothing to send."
        return _show_upload(id, 422, complaint)
    content = as_file(rejects.labels, rows)
    submission = submission_of(g.principal, upload, content, limits.upload_bytes)
    return _go_to(services().uploads.accept(submission).upload)


def _wanted() -> dict[str, str]:
    """What the request says of the uploads to show, as far as it makes sense."""
    known: Mapping[str, Callable[[str], object]] = {
        "filename": lambda text: text[:255],
        "state": State,
        "table": str,
        "from": date.fromisoformat,
        "to": date.fromisoformat,
        "by": lambda text: text[:320],
    }
    wanted = {}
    for name, read in known.items():
        text = request.args.get(name, "").strip()
        with suppress(ValueError):
            if text and read(text):
                wanted[name] = text
    return wanted


def _filter_of(wanted: Mapping[str, str]) -> UploadFilter:
    state, first, last = (wanted.get(name) for name in ("state", "from", "to"))
    return UploadFilter(
        state=None if state is None else State(state),
        table=wanted.get("table"),
        filename=wanted.get("filename"),
        submitted_by=wanted.get("by"),
        submitted_after=None if first is None else _midnight(first),
        submitted_before=None if last is None else _midnight(last) + timedelta(days=1),
    )


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)


def _go_to(upload: Upload) -> Response:
    return go(url_for("uploads_pages.one", id=upload.id))


def _show_upload(id: str, status: int = 200, complaint: str | None = None) -> Response:
    """The page of one upload, with a complaint about what was sent from it."""
    upload = services().access.get(g.principal, id)
    rejects = None
    if upload.state.is_final and upload.has_rejects and not upload.files_removed:
        try:
            upload, rejects = _rejects_page(id)
        except (FileNotStored, FileDamaged) as error:
            log.error("no rejects to show", error=repr(error))
    place = services().queue.place_of(upload)
    may_load = _may_load(upload)
    declared = tables().get(upload.table)
    return page(
        "upload.html",
        status,
        upload=upload,
        document=represent(upload, place, may_name=reader()),
        standing=standing(place),
        words=WORDS,
        emails=EMAILS,
        title_of=title_of,
        undoes=_find_undone(upload),
        may_name=reader(),
        may_load=may_load,
        loaded=[*_loads_of(upload.id)][-1][1] if may_load else None,
        table_title=declared.title if declared else upload.table,
        headings=_headings(declared),
        spoken=spoken_names(declared),
        key=_key_to_follow(upload),
        codes=CODES,
        counts=list(zip(counts(upload), asdict(upload.tally), strict=True)),
        sentence=sentence(upload) if upload.state.is_final else None,
        advice=advice(upload, upload.error)
        if upload.state is State.FAILED and upload.error
        else None,
        rejects=rejects,
        groups=group_by_cause(rejects, declared) if rejects else [],
        parents={each.column: each.parent for each in declared.foreign_keys} if declared else {},
        page_size=_REJECTS_PER_PAGE,
        corrections=services().access.corrections(g.principal, id),
        wishes=wishes(upload.options, declared),
        complaint=complaint,
    )


def _may_load(upload: Upload) -> bool:
    """Whether it is a dry run whose file the user may have loaded."""
    is_checked = upload.kind == "upload" and upload.state is State.VALIDATED
    may = g.principal.may("uploads:write", "uploads:admin")
    return is_checked and may and upload.files_removed is None


def _loads_of(id: str) -> Iterator[tuple[str, Upload | None]]:
    """The keys with which the user's button loads a dry run, each with its upload.

    The last one is free, or of an upload that is on its way or has loaded something.
    """
    for number in count():
        key = f"load {id} {number}"
        found = services().access.find_by_key(g.principal, key)
        yield key, found
        if found is None or found.state not in {State.FAILED, State.CANCELLED}:
            return


def _headings(table: Table | None) -> dict[str, str]:
    """What people read over each column, by its name."""
    return {name: table.heading(name) for name in table.column_names} if table else {}


def _key_to_follow(upload: Upload) -> str | None:
    """The column whose cells lead to the rows' own pages, for who may see them."""
    declared = tables().get(upload.table)
    return declared.key if declared and g.principal.may("queries:read") else None


def _find_undone(undo: Upload) -> Upload | None:
    """What the undo takes back, if the user may see it."""
    if undo.undoes is None:
        return None
    try:
        return services().access.get(g.principal, undo.undoes)
    except (UploadNotFound, UnreadableRecord):
        return None


def _rejects_page(id: str) -> tuple[Upload, RejectsPage]:
    """The upload, and its rejected rows from the `from`th on that the request names.

    Raises UploadNotFound, UploadNotFinished, and Problem 422 where `from` is no number.
    """
    first = _number(request.values.get("from"))
    upload, stored = services().access.open_rejects(g.principal, id)
    return upload, read_page(stored, first, _REJECTS_PER_PAGE, _REJECTS_SIZE)


def _number(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Problem("invalid-request", "There is no such page.")
    return int(text)
