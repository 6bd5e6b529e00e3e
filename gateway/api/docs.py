"""The OpenAPI document, and the same as a page that asks no other host for anything."""

import re
from functools import cache
from typing import Any

from flask import Blueprint, Response, json, render_template
from flask_openapi.openapi import OpenAPI
from markupsafe import Markup, escape

_VERSION = "3.1.1"
_API = ("/v1/", "/.well-known/")
_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def pages_of(app: OpenAPI) -> Blueprint:
    """The document of `app` and its page, each made once, at the first request.

    They cost more to make than anything else that needs no token.
    """
    pages = Blueprint("docs", __name__)
    pages.add_app_template_filter(prose)
    as_json = cache(lambda: json.dumps(_document(app)))
    as_page = cache(lambda: render_template("docs.html", document=_document(app)))

    @pages.get("/openapi.json")
    def openapi_document() -> Response:
        """The API as an OpenAPI 3.1 document."""
        return Response(as_json(), mimetype="application/json")

    @pages.get("/docs")
    def read_docs() -> Response:
        """The API as a page."""
        response = Response(as_page())
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    return pages


def prose(text: str | None) -> Markup:
    """The text for HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704 - escaped


def _document(app: OpenAPI) -> dict[str, Any]:
    whole = app.api_doc
    # Health and metrics are routes of every service, and no part of the API.
    paths = {path: item for path, item in whole["paths"].items() if path.startswith(_API)}
    for item in paths.values():
        for operation in item.values():
            _drop_undeclared_answer(operation)
            # The library leaves out that a public one needs nothing.
            operation.setdefault("security", [])
    return {**whole, "openapi": _VERSION, "paths": paths}


def _drop_undeclared_answer(operation: dict[str, Any]) -> None:
    # The library adds a 422 in a form of its own to operations that declare none.
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/json" in content:
        del operation["responses"]["422"]
