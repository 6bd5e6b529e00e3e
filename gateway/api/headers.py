"""The headers of answers, as the OpenAPI document describes them.

Each stands once among the components; an answer refers to it by its name.
"""

from typing import Any

_NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0}
_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "string", "enum": ["?0", "?1"]}

REQUEST_ID = "X-Request-Id"
"""What every answer has."""

HEADERS: dict[str, dict[str, Any]] = {
    REQUEST_ID: {
        "description": "The id of this request, which the log and every error name: that of the "
        "request, if it brought one.",
        "schema": _TEXT,
        "example": "0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f",
    },
    "Accept-Encoding": {
        "description": "The content coding that is understood, where that was the mistake "
        "(RFC 7694).",
        "schema": _TEXT,
        "example": "gzip",
    },
    "Accept-Ranges": {
        "description": "Parts of the file can be asked for with `Range`.",
        "schema": _TEXT,
        "example": "bytes",
    },
    "Content-Disposition": {
        "description": "The name to save it under.",
        "schema": _TEXT,
        "example": "attachment; filename=hired_employees.rejects.csv",
    },
    "Content-Range": {
        "description": "Which bytes of the file these are, and how many it has.",
        "schema": _TEXT,
        "example": "bytes 0-1023/92933",
    },
    "ETag": {
        "description": "Changes when the answer changes. Sent back in `If-None-Match`, it gives "
        "304 as long as it has not.",
        "schema": _TEXT,
        "example": '"5f2b1c"',
    },
    "Idempotent-Replayed": {
        "description": "This is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
    "Link": {
        "description": 'The next page, as `rel="next"`, if there is one (RFC 8288).',
        "schema": _TEXT,
        "example": '</v1/uploads?limit=20&cursor=2021>; rel="next"',
    },
    "Location": {
        "description": "The path of the upload.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/v1/uploads/5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b",
    },
    "Preference-Applied": {
        "description": "The wait that was granted, of `Prefer: wait=N` (RFC 7240).",
        "schema": _TEXT,
        "example": "wait=30",
    },
    "RateLimit": {
        "description": "How much is left of each limit, where there is one, and when some of it is "
        "free again (draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": _TEXT,
        "example": '"bytes";r=1048576;t=3600',
    },
    "RateLimit-Policy": {
        "description": "The limits that this request was counted in, where there are any.",
        "schema": _TEXT,
        "example": '"bytes";q=1073741824;qu="content-bytes";w=86400',
    },
    "Repr-Digest": {
        "description": "The SHA-256 of the whole file (RFC 9530).",
        "schema": _TEXT,
        "example": "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:",
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "schema": _NUMBER,
        "example": 2,
    },
    "Upload-Complete": {
        "description": "`?1` once all of the file has come and is accepted.",
        "schema": _FLAG,
        "example": "?0",
    },
    "Upload-Length": {
        "description": "How many bytes the whole file has.",
        "schema": _NUMBER,
        "example": 1073741824,
    },
    "Upload-Limit": {
        "description": "`max-size` in bytes, and `max-age`: the seconds left to finish it.",
        "schema": _TEXT,
        "example": "max-size=1073741824, max-age=86400",
    },
    "Upload-Offset": {
        "description": "How many bytes have come and are kept: send the next part from there.",
        "schema": _NUMBER,
        "example": 8388608,
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 9110, section 11.6.1).",
        "schema": _TEXT,
        "example": "Bearer",
    },
}

RATE_LIMITS = ("RateLimit-Policy", "RateLimit")
"""Of an answer to what is limited."""

OF_ERRORS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    415: ("Accept-Encoding",),
    416: ("Content-Range",),
    429: ("Retry-After", *RATE_LIMITS),
    503: ("Retry-After",),
}
"""The headers that an error of a status has, or may have."""


def named(*names: str) -> dict[str, Any]:
    """The headers of these names, for an answer that has them."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
