"""The body of the request that is being answered, as the rules take it."""

from flask import request

from gateway.services import services
from gateway.uploads.request_body import Body
from muster.http.client import ClientSocket


def request_body() -> Body:
    """The body of an upload, not read yet, with what its headers say of it."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, ClientSocket):
        connection.expect_upload()
    return Body(
        # As it comes: the limit of other bodies is not for this one.
        stream=request.input_stream,
        media_type=request.mimetype,
        parameters=request.mimetype_params,
        coding=_content_coding(),
        length=request.content_length,
        limit=services().limits.upload_bytes,
    )


def _content_coding() -> str:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    return {"": "identity", "x-gzip": "gzip"}.get(coding, coding)
