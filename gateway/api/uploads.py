"""Uploads: accept, list, follow, cancel."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, jsonify, request

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
from gateway.uploads.load import LoadRequest
from gateway.uploads.request_body import FORM_TYPE, RAW_TYPES
from gateway.uploads.undo import UndoRequest
from muster.contracts.upload_document import MayName, UploadDocument, location_of, represent
from muster.contracts.uploads import Upload
from muster.http.tokens import validity_of_token
from muster.uploadstore import UploadNotFound
from muster.weather import Unavailable

api = Api("uploads", __name__, abp_tags=[{"name": "Uploads"}])

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

ACCEPTED: dict[str, Any] = {
    "description": "Accepted: it is durable and will be loaded.",
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "The upload's path."},
        "Retry-After": {
            "schema": {"type": "integer"},
            "description": "When to ask again, in seconds, if there was no place to wait.",
        },
    },
    "content": {"application/json": {"schema": api.schema_of(UploadDocument)}},
}
_LISTED: dict[str, Any] = {
    "description": "A page of uploads.",
    "headers": {
        "Link": {"schema": {"type": "string"}, "description": 'The next page, as `rel="next"`.'}
    },
    "content": {"application/json": {"schema": api.schema_of(UploadPage)}},
}
PROGRESS_HEADERS = {
    "Upload-Offset": {
        "schema": {"type": "integer"},
        "description": "How many bytes have come, for good.",
    },
    "Upload-Complete": {
        "schema": {"type": "string", "enum": ["?0", "?1"]},
        "description": "`?1` once it is accepted.",
    },
    "Upload-Length": {"schema": {"type": "integer"}, "description": "The bytes of the whole."},
    "Upload-Limit": {
        "schema": {"type": "string"},
        "description": "`max-size` in bytes, and `max-age`, the seconds left to finish it.",
    },
}
_BEGUN: dict[str, Any] = {
    "description": "Begun, with `Upload-Complete: ?0`: send the rest in parts.",
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "Where parts are sent."},
        **PROGRESS_HEADERS,
    },
}


@api.operation(
    "post",
    "/v1/uploads",
    access=("uploads:write",),
    answers={200: UploadDocument, 201: _BEGUN, 202: ACCEPTED},
    refusals=(400, 408, 409, 413, 415, 422, 429),
    request_body=FILE,
)
def accept_upload(query: UploadQuery, header: NewUploadHeaders) -> Response:
    """Upload a CSV file or a workbook; with `Prefer: wait=N`, 200 if it is final in time.

    With `Upload-Complete: ?0` this begins an upload in parts: 201, and `Location` is where they are
    sent by PATCH.
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
    answers={200: UploadDocument, 202: ACCEPTED},
    refusals=(404, 409, 410, 422, 429),
)
def undo_upload(path: UploadPath, query: UndoQuery, header: UploadHeaders) -> Response:
    """Take an upload back: an upload of kind `undo`; with `Prefer: wait=N`, 200 if it is in time.

    Rows that it inserted are removed, those that it updated have their former values again, and
    those that a later change touched stay. An undo is undone likewise, which brings the rows back.
    """
    if not query.dry_run:
        note(services().auth, "undo", path.id)
    request = UndoRequest(g.principal, path.id, query.options(), header.idempotency_key)
    return accepted(services().undos.accept(request), header.prefer)


@api.operation(
    "post",
    "/v1/uploads/<id>/load",
    access=("uploads:write", "uploads:admin"),
    answers={200: UploadDocument, 202: ACCEPTED},
    refusals=(404, 409, 410, 422, 429),
)
def load_upload(path: UploadPath, header: UploadHeaders) -> Response:
    """Load the file that a dry run checked, as it was kept: a new upload, that names it in `loads`.

    It has the dry run's options, and checks every row again: what stands in the tables may have
    changed meanwhile. With `Prefer: wait=N`, 200 if it is final in time.
    """
    request = LoadRequest(g.principal, path.id, header.idempotency_key)
    return accepted(services().loads.accept(request), header.prefer)


@api.operation("get", "/v1/uploads", access=READERS, answers={200: _LISTED}, refusals=(422,))
def list_uploads(query: ListQuery) -> Response:
    """My uploads, newest first; everybody's for `uploads:admin`."""
    wanted = query.filter()
    page = services().access.list(g.principal, wanted, cursor=query.cursor, limit=query.limit)
    response = jsonify(
        uploads=[_as_it_stands(upload) for upload in page.uploads],
        next=page.next,
    )
    if page.next is not None:
        following = urlencode({**request.args.to_dict(), "cursor": page.next})
        response.headers["Link"] = f'<{request.path}?{following}>; rel="next"'
    return response


@api.operation(
    "get", "/v1/uploads/<id>", access=READERS, answers={200: UploadDocument}, refusals=(404,)
)
def get_upload(path: UploadPath, header: WaitHeaders) -> Response:
    """One upload; with `Prefer: wait=N`, as soon as it is final or after N seconds."""
    upload = services().access.get(g.principal, path.id)
    latest, applied = _waited(upload, header.prefer)
    return _with_preference(jsonify(_as_it_stands(latest)), header.prefer, latest, applied)


@api.operation(
    "delete",
    "/v1/uploads/<id>",
    access=("uploads:write", "uploads:undo", "uploads:admin"),
    answers={202: UploadDocument},
    refusals=(404, 409),
)
def cancel_upload(path: UploadPath) -> Response:
    """Cancel an upload that is not final."""
    response = jsonify(_as_it_stands(services().access.cancel(g.principal, path.id)))
    response.status_code = 202
    return response


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
    begun = services().resumable.begin(submission, length)
    response = with_progress(Response(status=201), begun, services().limits.upload_bytes)
    response.headers["Location"] = f"/v1/uploads/{begun.id}/content"
    return response


def accepted(upload: Upload, prefer: str | None) -> Response:
    """The answer to a request that made an upload."""
    latest, applied = _waited(upload, prefer)
    shown = represent(latest, may_name=reader()) if applied is None else _as_it_stands(latest)
    response = jsonify(shown)
    response.status_code = 200 if latest.state.is_final else 202
    response.headers["Location"] = location_of(upload)
    return _with_preference(response, prefer, latest, applied)


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
    """The upload after the wait that was asked for, and the seconds if the wait was granted."""
    seconds = preferred_wait(prefer)
    if seconds is None:
        return upload, None
    is_valid = validity_of_token()
    gone = client_gone()
    try:
        latest = services().follower.until_final(
            g.principal.id, upload, seconds, lambda: gone() or not is_valid()
        )
    except Unavailable:
        # What was answered before the wait is true all the same: the upload is accepted.
        return upload, None
    # A client whose token has ended meanwhile sees the upload as it was before.
    return (upload, None) if latest is None or not is_valid() else (latest, seconds)


def _with_preference(
    response: Response, prefer: str | None, upload: Upload, applied: int | None
) -> Response:
    """The answer, which says how long was waited, or when to ask again where it wasn't."""
    if applied is not None:
        response.headers["Preference-Applied"] = f"wait={applied}"
    elif preferred_wait(prefer) and not upload.state.is_final:
        response.headers["Retry-After"] = str(services().queue.seconds_left(upload))
    return response
