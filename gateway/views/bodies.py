"""The body of the request that is being answered, as the rules take it."""

from flask import request

from gateway.body import Body
from gateway.services import services


def request_body() -> Body:
    """The body, not read yet, with what its headers say of it."""
    return Body(
        stream=request.stream,
        media_type=request.mimetype,
        parameters=request.mimetype_params,
        coding=_content_coding(),
        length=request.content_length,
        limit=services().max_upload_bytes,
    )


def _content_coding() -> str:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    return {"": "identity", "x-gzip": "gzip"}.get(coding, coding)
