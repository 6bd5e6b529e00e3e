"""An upload in parts: how far it is, and its next part (draft-ietf-httpbis-resumable-upload-12)."""

from typing import Any

from flask import Response, g

from gateway.api.openapi import Access, Api
from gateway.api.requests import ContentHeaders, UploadPath, request_body
from gateway.api.uploads import ACCEPTED, FINAL, PROGRESS_HEADERS, accepted, with_progress
from gateway.errors import NotAPart
from gateway.services import services
from gateway.uploads.begun import ResumableUpload

api = Api("upload content", __name__, tag="Uploads")

PART_TYPE = "application/partial-upload"
_WRITERS: Access = ("uploads:write",)
_PROGRESS: dict[str, Any] = {"description": "How far it is.", "headers": PROGRESS_HEADERS}
_PART: dict[str, Any] = {
    "description": "The bytes of the file from `Upload-Offset` on.",
    "content": {PART_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}


@api.operation(
    "get",
    "/v1/uploads/<id>/content",
    access=_WRITERS,
    answers={204: _PROGRESS},
    refusals=(404,),
    head="head_upload_progress",
)
def show_upload_progress(path: UploadPath) -> Response:
    """Ask how far an upload in parts is.

    `Upload-Offset` says how many bytes have come and are kept: send the next part from there.
    """
    return _progress(services().resumable.find(g.principal, path.id))


@api.operation(
    "patch",
    "/v1/uploads/<id>/content",
    access=_WRITERS,
    answers={200: FINAL, 202: ACCEPTED, 204: _PROGRESS},
    refusals=(400, 404, 408, 409, 413, 415, 422, 429),
    request_body=_PART,
)
def append_to_upload(path: UploadPath, header: ContentHeaders) -> Response:
    """Send the next part of an upload.

    From `Upload-Offset` on. Of a part that breaks off, what has come is kept. With the last part,
    `Upload-Complete: ?1`, the upload is accepted as by `POST /v1/uploads`.
    """
    body = request_body()
    if body.media_type != PART_TYPE:
        raise NotAPart(PART_TYPE)
    latest = services().resumable.append(
        g.principal, path.id, header.upload_offset, body, is_last=header.upload_complete
    )
    if isinstance(latest, ResumableUpload):
        return _progress(latest)
    response = accepted(latest, header.prefer)
    response.headers["Upload-Complete"] = "?1"
    return response


@api.operation(
    "delete",
    "/v1/uploads/<id>/content",
    access=_WRITERS,
    answers={204: None},
    refusals=(404, 409),
)
def discard_upload_content(path: UploadPath) -> Response:
    """Give up an upload in parts.

    All that has come of it is removed.
    """
    services().resumable.discard(g.principal, path.id)
    return Response(status=204)


def _progress(begun: ResumableUpload) -> Response:
    response = with_progress(Response(status=204), begun, services().limits.upload_bytes)
    response.headers["Cache-Control"] = "no-store"
    return response
