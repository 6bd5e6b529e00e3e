"""What belongs to an upload: its file, its rejects, its events."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from flask import Response, g, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from gateway.api.headers import named
from gateway.api.openapi import Api
from gateway.api.requests import RejectsQuery, UploadPath, client_gone
from gateway.api.uploads import READERS, reader
from gateway.proxy.content_digest import digest_field
from gateway.services import services
from gateway.uploads.filenames import WORKBOOK_TYPES, as_download, inflated_name, workbook_type
from gateway.uploads.queue import UploadQueue
from gateway.uploads.reject_file import as_csv, as_ndjson
from muster.contracts.tables import get_table
from muster.contracts.upload_document import MayName, represent
from muster.contracts.uploads import Upload
from muster.http.json_text import json_text
from muster.http.negotiation import wanted_type
from muster.http.tokens import validity_of_token

api = Api("contents", __name__, tag="Uploads")

NDJSON = "application/x-ndjson"
_CSV = "text/csv; charset=utf-8"
_TEXT = {"schema": {"type": "string"}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "description": "The file.",
    "headers": named("Accept-Ranges", "Content-Disposition", "ETag", "Repr-Digest"),
    "content": dict.fromkeys(("text/csv", *WORKBOOK_TYPES), _BYTES),
}
_PART: dict[str, Any] = {
    **_FILE,
    "description": "The part that `Range` asks for.",
    "headers": {**_FILE["headers"], **named("Content-Range")},
}
_UNCHANGED: dict[str, Any] = {"description": "As it was.", "headers": named("ETag")}
_REJECTS: dict[str, Any] = {
    "description": "The rejected rows.",
    "headers": named("Content-Disposition"),
    "content": {
        "text/csv": {
            **_TEXT,
            "example": "id,job,_line,_row,_code,_column,_message\r\n"
            "x,Recruiter,3,3,type-error,id,write digits only\r\n",
        },
        NDJSON: _TEXT,
    },
}
_EVENTS: dict[str, Any] = {
    "description": "Server-Sent Events named `upload`, with the upload as data, until it is final.",
    "content": {"text/event-stream": _TEXT},
}


@api.operation(
    "get",
    "/v1/uploads/<id>/file",
    access=READERS,
    answers={200: _FILE, 206: _PART, 304: _UNCHANGED},
    refusals=(404, 410, 416),
)
def get_file(path: UploadPath) -> Response:
    """Download the file of an upload.

    The bytes as they came, inflated. A part of them with `Range`.
    """
    upload, file = services().access.open_file(g.principal, path.id)
    name = inflated_name(upload.filename)
    content_type = workbook_type(name) if upload.is_workbook else "text/csv"
    response = Response(
        wrap_file(request.environ, file), content_type=content_type, direct_passthrough=True
    )
    response.call_on_close(file.close)
    response.content_length = upload.size
    response.set_etag(upload.sha256)
    # Also of a part of it: who has all parts can check the whole (RFC 9530, section 3).
    response.headers["Repr-Digest"] = digest_field(upload.sha256)
    _as_download(response, name)
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=upload.size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return response


@api.operation(
    "get",
    "/v1/uploads/<id>/rejects",
    access=READERS,
    answers={200: _REJECTS},
    refusals=(404, 406, 409, 410, 422),
)
def get_rejects(path: UploadPath, query: RejectsQuery) -> Response:
    """Download the rejected rows.

    As CSV with the reason for each: correct them, upload the file, and only they are loaded. With
    `Accept: application/x-ndjson` a JSON object a line, with all errors of each row. Of an undo,
    these are the rows that it did not take back.
    """
    wanted = wanted_type("text/csv", NDJSON)
    upload, stored = services().access.open_rejects(g.principal, path.id)
    stem = PurePosixPath(inflated_name(upload.filename)).stem.removesuffix(".rejects")
    # Many rows of an undo are about the same uploads.
    may_name = lru_cache(reader())
    body: Iterable[bytes]
    if wanted == NDJSON:
        about_uploads = may_name if upload.kind == "undo" else None
        body, content_type = as_ndjson(stored, about_uploads), NDJSON
        name = f"{stem}.rejects.ndjson"
    else:
        safe = query.spreadsheet == "safe"
        table = get_table(upload.table)
        body = as_csv(stored, table, spreadsheet_safe=safe, may_name=may_name)
        content_type, name = _CSV, f"{stem}.rejects.csv"
    response = Response(body, content_type=content_type)
    response.vary.add("Accept")
    if stored is not None:
        response.call_on_close(stored.close)
    return _as_download(response, name)


@api.operation(
    "get",
    "/v1/uploads/<id>/events",
    access=READERS,
    answers={200: _EVENTS},
    refusals=(404, 429),
)
def follow_upload(path: UploadPath) -> Response:
    """Follow an upload.

    As Server-Sent Events: the upload each time that it has changed, until it is final, for as long
    as the token is valid.
    """
    upload = services().access.get(g.principal, path.id)
    release = services().follower.take_place(g.principal.id)
    gone = client_gone()
    is_valid = validity_of_token()
    queue = services().queue
    changes = services().follower.changes(upload, lambda: gone() or not is_valid(), queue.place_of)
    response = Response(
        _event_stream(changes, queue, reader()), content_type="text/event-stream; charset=utf-8"
    )
    response.call_on_close(release)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _event_stream(
    changes: Iterator[Upload | None], queue: UploadQueue, may_name: MayName
) -> Iterator[str]:
    for upload in changes:
        if upload is None:
            yield ": still here\n\n"
        else:
            data = json_text(represent(upload, queue.place_of(upload), may_name=may_name))
            yield f"event: upload\nid: {upload.version}\ndata: {data}\n"


def _as_download(response: Response, filename: str) -> Response:
    response.headers["Content-Disposition"] = as_download(filename)
    return response
