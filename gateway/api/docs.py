"""The OpenAPI document, and the same as a page that asks no other host for anything."""

import re
from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, Response, current_app, json, render_template
from flask_openapi.openapi import OpenAPI
from markupsafe import Markup, escape

pages = Blueprint("docs", __name__)

_VERSION = "3.1.1"
_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@pages.get("/openapi.json")
def openapi_document() -> Response:
    """The API as OpenAPI 3.1 has it."""
    return Response(_once("openapi.json", _as_json), mimetype="application/json")


@pages.get("/docs")
def read_docs() -> Response:
    """The API to read."""
    response = Response(_once("docs", _as_page))
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@pages.app_template_filter("prose")
def prose(text: str | None) -> Markup:
    """The text for HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704 - escaped


def _once(name: str, make: Callable[[], str]) -> str:
    """What `make` makes, made once by an app: it costs more than anything else that all may ask."""
    kept: dict[str, str] = current_app.extensions.setdefault("documents", {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _as_json() -> str:
    return json.dumps(_document())


def _as_page() -> str:
    return render_template("docs.html", document=_document())


def _document() -> dict[str, Any]:
    whole = cast(OpenAPI, current_app).api_doc
    # Health and metrics are routes of every service, and no part of the API.
    paths = {path: item for path, item in whole["paths"].items() if path.startswith("/v1/")}
    for item in paths.values():
        for operation in item.values():
            _drop_undeclared_answer(operation)
    return {**whole, "openapi": _VERSION, "paths": paths}


def _drop_undeclared_answer(operation: dict[str, Any]) -> None:
    # The library adds a 422 in a form of its own to operations that declare none.
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/json" in content:
        del operation["responses"]["422"]
