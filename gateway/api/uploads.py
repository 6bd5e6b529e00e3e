"""Uploads: accept, list, follow, cancel."""

import time
from functools import partial
from typing import Any

from flask import Response, g, jsonify

from gateway.api.headers import RATE_LIMITS, named
from gateway.api.openapi import Access, Api
from gateway.api.requests import (
    ListQuery,
    NewUploadHeaders,
    UndoQuery,
    UploadHeaders,
    UploadPath,
    UploadQuery,
    WaitHeaders,
    client_gone,
    preferred_wait,
    request_body,
)
from gateway.api.responses import UploadPage
from gateway.errors import LengthNotGiven, PreviousNotFound
from gateway.proxy.audit import note
from gateway.services import services
from gateway.uploads.accept import Submission
from gateway.uploads.begun import ResumableUpload
from gateway.uploads.idempotency import Acceptance
from gateway.uploads.load import LoadRequest
from gateway.uploads.request_body import FORM_TYPE, RAW_TYPES
from gateway.uploads.undo import UndoRequest
from muster.contracts.upload_document import MayName, UploadDocument, location_of, represent
from muster.contracts.uploads import Upload
from muster.http.paging import with_next
from muster.http.tokens import validity_of_token
from muster.uploadstore import UploadNotFound
from muster.weather import Unavailable

api = Api("uploads", __name__, tag="Uploads")

READERS: Access = ("uploads:read", "uploads:admin")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}},
        "required": ["file"],
    }
}
FILE: dict[str, Any] = {
    "description": "The CSV file or workbook: the body itself, or the part `file` of a form.",
    "content": {**dict.fromkeys(RAW_TYPES, _BINARY), FORM_TYPE: _FORM},
}
"""The body of a request that sends a file, for the document."""

FINAL: dict[str, Any] = {
    **api.json_answer(
        UploadDocument, "Location", "Preference-Applied", "Idempotent-Replayed", *RATE_LIMITS
    ),
    "description": "It is final, within the time of `Prefer: wait=N` or from an earlier request.",
}
ACCEPTED: dict[str, Any] = {
    **api.json_answer(
        UploadDocument,
        "Location",
        "Preference-Applied",
        "Retry-After",
        "Idempotent-Replayed",
        *RATE_LIMITS,
    ),
    "description": "Accepted: it is durable and will be loaded. `Retry-After` says when to ask for "
    "it again.",
}
_SHOWN = api.json_answer(UploadDocument, "Preference-Applied", "Retry-After")
PROGRESS_HEADERS = named("Upload-Offset", "Upload-Complete", "Upload-Length", "Upload-Limit")
_BEGUN: dict[str, Any] = {
    "description": "Begun, with `Upload-Complete: ?0`: send the rest in parts to `Location`.",
    "headers": {
        **named("Location", "Idempotent-Replayed", *RATE_LIMITS),
        **PROGRESS_HEADERS,
    },
}


@api.operation(
    "post",
    "/v1/uploads",
    access=("uploads:write",),
    answers={200: FINAL, 201: _BEGUN, 202: ACCEPTED},
    refusals=(400, 408, 409, 413, 414, 415, 422, 429),
    request_body=FILE,
)
def accept_upload(query: UploadQuery, header: NewUploadHeaders) -> Response:
    """Upload a file.

    A CSV file or a workbook, as the body itself or as the part `file` of a form. Once it is
    accepted it is durable, and reaches exactly one final state. With `Prefer: wait=N` the answer is
    200 with the final upload if it is final within N seconds, and else 202.

    With an `Idempotency-Key` it can be sent again after a broken connection: the same request gives
    the first answer again, and nothing is loaded twice.

    A large file can be sent in parts (draft-ietf-httpbis-resumable-upload): with
    `Upload-Complete: ?0` and its `Upload-Length` this begins such an upload. The answer is 201, and
    parts go by PATCH to its `Location`.
    """
    submission = Submission(
        owner=g.principal,
        body=request_body(),
        options=query.options(),
        table=query.table,
        filename=query.filename,
        key=header.idempotency_key,
        previous=_previous(query),
    )
    if not header.upload_complete:
        return _begin(submission, header.upload_length)
    return accepted(services().uploads.accept(submission), header.prefer)


@api.operation(
    "post",
    "/v1/uploads/<id>/undo",
    access=("uploads:undo", "uploads:admin"),
    answers={200: FINAL, 202: ACCEPTED},
    refusals=(404, 409, 410, 422, 429),
)
def undo_upload(path: UploadPath, query: UndoQuery, header: UploadHeaders) -> Response:
    """Undo an upload.

    Rows that it inserted are removed, rows that it updated get their former values back, and rows
    that a later change touched stay as they are. The undo is an upload of its own, of kind `undo`:
    follow it like any other. To have the rows back, undo the undo.
    """
    if not query.dry_run:
        note(services().auth, "undo", path.id)
    request = UndoRequest(g.principal, path.id, query.options(), header.idempotency_key)
    return accepted(services().undos.accept(request), header.prefer)


@api.operation(
    "post",
    "/v1/uploads/<id>/load",
    access=("uploads:write", "uploads:admin"),
    answers={200: FINAL, 202: ACCEPTED},
    refusals=(404, 409, 410, 422, 429),
)
def load_upload(path: UploadPath, header: UploadHeaders) -> Response:
    """Load what a dry run checked.

    The stored file is loaded as a new upload, which names the dry run in `loads` and has its
    options. Every row is checked again, as the tables may have changed since.
    """
    request = LoadRequest(g.principal, path.id, header.idempotency_key)
    return accepted(services().loads.accept(request), header.prefer)


@api.operation(
    "get",
    "/v1/uploads",
    access=READERS,
    answers={200: api.json_answer(UploadPage, "Link")},
    refusals=(422,),
)
def list_uploads(query: ListQuery) -> Response:
    """List uploads.

    Your own, newest first; everybody's for `uploads:admin`. The next page is at `next`, and in the
    header `Link`.
    """
    wanted = query.filter()
    page = services().access.list(g.principal, wanted, cursor=query.cursor, limit=query.limit)
    response = jsonify(
        uploads=[_as_it_stands(upload) for upload in page.uploads],
        next=page.next,
    )
    return with_next(response, page.next)


@api.operation("get", "/v1/uploads/<id>", access=READERS, answers={200: _SHOWN}, refusals=(404,))
def get_upload(path: UploadPath, header: WaitHeaders) -> Response:
    """Show an upload.

    With `Prefer: wait=N` the answer comes as soon as the upload is final, or after N seconds.
    """
    upload = services().access.get(g.principal, path.id)
    latest, applied = _waited(upload, header.prefer)
    return _with_preference(jsonify(_as_it_stands(latest)), header.prefer, latest, applied)


@api.operation(
    "delete",
    "/v1/uploads/<id>",
    access=("uploads:write", "uploads:undo", "uploads:admin"),
    answers={202: api.json_answer(UploadDocument, "Retry-After")},
    refusals=(404, 409),
)
def cancel_upload(path: UploadPath) -> Response:
    """Cancel an upload.

    While it is not final: nothing of it is loaded then. Once it is, undo it instead.
    """
    cancelled = services().access.cancel(g.principal, path.id)
    response = jsonify(_as_it_stands(cancelled))
    response.status_code = 202
    return _with_preference(response, None, cancelled, None)


def reader() -> MayName:
    """What the user who asks may be told of, also after the request's context."""
    return partial(services().access.may_name, g.principal)


def with_progress(response: Response, begun: ResumableUpload, max_size: int) -> Response:
    """The answer with how far an upload in parts is."""
    response.headers["Upload-Offset"] = str(begun.offset)
    response.headers["Upload-Complete"] = "?0" if begun.upload is None else "?1"
    response.headers["Upload-Length"] = str(begun.length)
    response.headers["Upload-Limit"] = f"max-size={max_size}, max-age={begun.seconds_left}"
    return response


def _begin(submission: Submission, length: int | None) -> Response:
    if length is None:
        raise LengthNotGiven
    begun, is_replay = services().resumable.begin(submission, length)
    response = with_progress(Response(status=201), begun, services().limits.upload_bytes)
    response.headers["Location"] = f"/v1/uploads/{begun.id}/content"
    return _with_replay(response, is_replay=is_replay)


def accepted(acceptance: Acceptance, prefer: str | None) -> Response:
    """The answer to a request that made an upload, now or before with the same key."""
    upload = acceptance.upload
    latest, applied = _waited(upload, prefer)
    shown = represent(latest, may_name=reader()) if applied is None else _as_it_stands(latest)
    response = jsonify(shown)
    response.status_code = 200 if latest.state.is_final else 202
    response.headers["Location"] = location_of(upload)
    _with_preference(response, prefer, latest, applied)
    return _with_replay(response, is_replay=acceptance.is_replay)


def _with_replay(response: Response, *, is_replay: bool) -> Response:
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _as_it_stands(upload: Upload) -> dict[str, Any]:
    return represent(upload, services().queue.place_of(upload), may_name=reader())


def _previous(query: UploadQuery) -> str | None:
    if query.previous is None:
        return None
    try:
        return services().access.get(g.principal, query.previous).id
    except UploadNotFound as error:
        raise PreviousNotFound from error


def _waited(upload: Upload, prefer: str | None) -> tuple[Upload, int | None]:
    """The upload after the wait that was asked for, and the seconds if they were granted.

    They were not where there was no place, or the server stopped before their end.
    """
    seconds = preferred_wait(prefer)
    if seconds is None:
        return upload, None
    is_valid = validity_of_token()
    gone = client_gone()
    began = time.monotonic()
    try:
        latest = services().follower.until_final(
            g.principal.id, upload, seconds, lambda: gone() or not is_valid()
        )
    except Unavailable:
        # What was answered before the wait is true all the same: the upload is accepted.
        return upload, None
    # A client whose token has ended meanwhile sees the upload as it was before.
    if latest is None or not is_valid():
        return upload, None
    is_whole = latest.state.is_final or time.monotonic() - began >= seconds
    return latest, seconds if is_whole else None


def _with_preference(
    response: Response, prefer: str | None, upload: Upload, applied: int | None
) -> Response:
    """The answer, which says how long was waited, and when to ask again if it is not final.

    Without a 202, it says so only where the wait was not granted.
    """
    if applied is not None:
        response.headers["Preference-Applied"] = f"wait={applied}"
    wants_more = response.status_code == 202 or (preferred_wait(prefer) and applied is None)
    if wants_more and not upload.state.is_final:
        response.headers["Retry-After"] = str(services().queue.seconds_left(upload))
    return response
