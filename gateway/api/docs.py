"""The OpenAPI document, the same as a page, and a page of errors; no page asks another host."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Blueprint, Response, render_template
from flask_openapi.openapi import OpenAPI
from markupsafe import Markup, escape

from gateway.api.document import document_of
from muster.contracts.problems import ERRORS_PAGE, PROBLEM_TYPES
from muster.http.json_text import json_text

_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def pages_of(app: OpenAPI) -> Blueprint:
    """The document of `app`, its page and that of errors, each made once, at the first request.

    They cost more to make than anything else that needs no token.
    """
    pages = Blueprint("docs", __name__)
    pages.add_app_template_filter(prose)
    pages.add_app_template_filter(anchor)
    # Not by name, as Jinja has it: examples are in the order of what they show.
    pages.record_once(lambda state: state.app.jinja_env.policies.update({"json.dumps_kwargs": {}}))
    as_json = cache(lambda: json_text(document_of(app)))
    as_errors = cache(lambda: render_template("errors.html", problems=PROBLEM_TYPES))
    as_page = cache(lambda: _rendered(document_of(app)))

    @pages.get("/openapi.json")
    def openapi_document() -> Response:
        """The API as an OpenAPI 3.1 document."""
        return Response(as_json(), mimetype="application/json")

    @pages.get("/docs")
    def read_docs() -> Response:
        """The API as a page."""
        return _page(as_page())

    @pages.get(ERRORS_PAGE)
    def read_errors() -> Response:
        """What each problem means and what to do, where its `type` leads."""
        return _page(as_errors())

    return pages


def anchor(tag: str) -> str:
    """What leads to the section of a tag."""
    return tag.lower().replace(" ", "-")


def prose(text: str | None) -> Markup:
    """The text for HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704 - escaped


def _page(content: str) -> Response:
    response = Response(content)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _rendered(document: dict[str, Any]) -> str:
    descriptions = {tag["name"]: tag["description"] for tag in document["tags"]}
    return render_template(
        "docs.html",
        document=document,
        descriptions=descriptions,
        sections={tag: list(_operations(document, tag)) for tag in descriptions},
    )


def _operations(document: dict[str, Any], tag: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What has the tag: the method, the path and the operation; last what is sent to webhooks."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if operation["tags"] == [tag]:
                yield method.upper(), path, operation
    for event, item in document["webhooks"].items():
        for method, operation in item.items():
            if operation["tags"] == [tag]:
                yield f"{method.upper()} to your webhook", event, operation
