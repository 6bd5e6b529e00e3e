"""The link from a page of a list to the next one (RFC 8288)."""

from urllib.parse import quote, urlencode

from flask import Response, request


def with_next(response: Response, cursor: str | None) -> Response:
    """The page, with a `Link` to the one that begins at `cursor`, asked for as this one was."""
    if cursor is not None:
        following = urlencode({**request.args.to_dict(), "cursor": cursor})
        response.headers["Link"] = f'<{quote(request.path)}?{following}>; rel="next"'
    return response
