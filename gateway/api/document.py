"""The OpenAPI document: the operations as they are declared, and what holds for all of them."""

from copy import deepcopy
from typing import Any

from flask_openapi.openapi import OpenAPI

from gateway.api.headers import HEADERS, REQUEST_ID, named
from gateway.api.openapi import Api
from gateway.api.webhook_events import WEBHOOKS
from muster.contracts.tables import tables

_VERSION = "3.1.1"
_TABLE_NAME = {
    "type": "string",
    "enum": list(tables()),
    "description": "A table that this installation declares.",
}
_API = ("/v1/", "/.well-known/")
_ON_UPLOADS = (
    *("get_upload", "cancel_upload", "follow_upload", "undo_upload", "load_upload"),
    *("get_file", "get_rejects", "get_receipt"),
)
_ON_WEBHOOKS = ("get_webhook", "change_webhook", "delete_webhook", "test_webhook")
_LINKS = {
    **dict.fromkeys(("accept_upload", "undo_upload", "load_upload"), _ON_UPLOADS),
    "add_user": ("get_user", "change_user", "delete_user"),
    "add_key": ("revoke_key",),
    "add_webhook": (*_ON_WEBHOOKS, "list_deliveries"),
}
"""The operations that take the `id` which an operation answers with."""


def document_of(app: OpenAPI) -> dict[str, Any]:
    """The document of the app's API."""
    whole = deepcopy(app.api_doc)
    # Health and metrics are routes of every service, and no part of the API.
    paths = {path: item for path, item in whole["paths"].items() if path.startswith(_API)}
    for item in paths.values():
        for operation in item.values():
            _drop_undeclared_answer(operation)
            # The library leaves out that a public one needs nothing.
            operation.setdefault("security", [])
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _as_parameter(parameter["schema"])
            for answer in operation["responses"].values():
                answer["headers"] = {**answer.get("headers", {}), **named(REQUEST_ID)}
            _add_links(operation)
    for path, operation_id in _heads(app).items():
        paths[path]["head"] = _head_of(paths[path]["get"], operation_id)
    schemas = {**whole["components"]["schemas"], "TableName": _TABLE_NAME}
    components = {**whole["components"], "schemas": schemas, "headers": HEADERS}
    document = {**whole, "openapi": _VERSION, "paths": paths, "webhooks": WEBHOOKS}
    whole_numbers: dict[str, Any] = _with_whole_numbers({**document, "components": components})
    return whole_numbers


def _as_parameter(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what its parameter says, and without null, which no parameter can be."""
    kept = {name: part for name, part in schema.items() if name not in {"title", "description"}}
    match kept.pop("anyOf", None):
        case [value, {"type": "null"}]:
            kept = {**value, **kept}
        case [*values]:
            kept["anyOf"] = [value for value in values if value != {"type": "null"}]
    if kept.get("enum") == _TABLE_NAME["enum"]:
        return {"$ref": "#/components/schemas/TableName"}
    return kept


def _drop_undeclared_answer(operation: dict[str, Any]) -> None:
    # The library adds a 422 in a form of its own to operations that declare none.
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/json" in content:
        del operation["responses"]["422"]


def _add_links(operation: dict[str, Any]) -> None:
    links = {
        target: {"operationId": target, "parameters": {"id": "$response.body#/id"}}
        for target in _LINKS.get(operation["operationId"], ())
    }
    for status, answer in operation["responses"].items():
        if links and status in {"200", "201", "202"} and "content" in answer:
            answer["links"] = links


def _heads(app: OpenAPI) -> dict[str, str]:
    """The ids of the operations by HEAD that the document lists, by path."""
    apis = [each for each in app.blueprints.values() if isinstance(each, Api)]
    return {
        rule.replace("<", "{").replace(">", "}"): operation_id
        for api in apis
        for rule, operation_id in api.heads.items()
    }


def _head_of(get: dict[str, Any], operation_id: str) -> dict[str, Any]:
    answers = {
        status: {name: part for name, part in answer.items() if name != "content"}
        for status, answer in get["responses"].items()
    }
    return {**get, "operationId": operation_id, "responses": answers}


def _with_whole_numbers(part: Any) -> Any:
    """The same, with 1 where the library has made 1.0 of a limit."""
    if isinstance(part, dict):
        return {name: _with_whole_numbers(each) for name, each in part.items()}
    if isinstance(part, list):
        return [_with_whole_numbers(each) for each in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part
