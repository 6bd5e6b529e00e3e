"""Declares the operations of the API: what the document says of one is what is enforced."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Literal, get_type_hints

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.schema import Schema
from pydantic import BaseModel, ValidationError

from gateway.errors import from_validation
from muster.http.tokens import requires

Method = Literal["get", "post", "put", "patch", "delete"]
View = Callable[..., Response]
Answers = Mapping[int, type[BaseModel] | dict[str, Any] | None]
Access = tuple[str, ...] | Literal["basic", "public"]
"""Permissions of which one is needed, none for any token; or HTTP Basic, which auth checks.

What is `public` needs nothing.
"""

ANY_TOKEN: Access = ()
_SCHEMAS = "#/components/schemas"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}/ProblemDocument"}}}
_RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "schema": {"type": "integer"},
        "description": "Seconds to wait before the next.",
    }
}
_CHALLENGE: dict[str, Any] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
_HEADERS = {401: _CHALLENGE, 409: _RETRY_AFTER, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


class Api(APIBlueprint):
    """Operations of one subject."""

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Route `rule`; `access` is checked before the parameters, let alone the body."""
        access: Access = options.pop("access")
        by_key: bool = options.pop("by_key")
        # Not the library's check, which looks at every header and at the models' schemas.
        checked = _checked(view_func.__wrapped__)
        guarded = checked if isinstance(access, str) else requires(*access, by_key=by_key)(checked)
        super().add_url_rule(rule, endpoint, guarded, provide_automatic_options, **options)

    def schema_of(self, model: type[BaseModel]) -> dict[str, Any]:
        """A reference to `model`, which is put among the schemas of the document."""
        schema = model.model_json_schema(ref_template=f"{_SCHEMAS}/{{model}}")
        for name, part in {**schema.pop("$defs", {}), model.__name__: schema}.items():
            self.components_schemas[name] = Schema(**part)
        return {"$ref": f"{_SCHEMAS}/{model.__name__}"}

    def json_body(self, model: type[BaseModel]) -> dict[str, Any]:
        """A request body of JSON, for the document; the service that answers checks it."""
        return {"content": {"application/json": {"schema": self.schema_of(model)}}}

    def operation(
        self,
        method: Method,
        rule: str,
        *,
        access: Access,
        answers: Answers,
        refusals: Collection[int] = (),
        request_body: dict[str, Any] | None = None,
        by_key: bool = True,
    ) -> Callable[[View], View]:
        """Serve `rule` by the view, to those that have `access`; without `by_key`, not to keys.

        `answers` and `refusals` are the statuses that the document lists; 401, 403 and 503 are
        added where there can be. The view's parameters `path`, `query` and `header` are checked by
        their annotations.
        """
        keyless = () if by_key else (403,)
        errors = {status: problem(status) for status in _all({*refusals, *keyless}, access)}

        def declare(view: View) -> View:
            declared: View = getattr(self, method)(
                rule,
                security=_security(access),
                responses={**answers, **errors},
                operation_id=view.__name__,
                access=access,
                by_key=by_key,
                **({} if request_body is None else {"request_body": _required(request_body)}),
            )(view)
            return declared

        return declare


def _checked(view: View) -> View:
    """The view, called with its parameters as models; 422 where one refuses what it is given."""
    models: dict[str, type[BaseModel]] = get_type_hints(view)
    declared = [(name, models[name]) for name in ("header", "path", "query") if name in models]

    @wraps(view)
    def checked(**in_path: str) -> Response:
        try:
            parameters = {
                name: model.model_validate(_given(name, model, in_path)) for name, model in declared
            }
        except ValidationError as error:
            return from_validation(error)
        return view(**parameters)

    return checked


def _given(place: str, model: type[BaseModel], in_path: dict[str, str]) -> dict[str, str]:
    """What this request says in its path, its query or the headers of the model."""
    if place == "path":
        return in_path
    if place == "query":
        return request.args.to_dict()
    names = (field.alias or name for name, field in model.model_fields.items())
    return {name: request.headers[name] for name in names if name in request.headers}


def problem(status: int) -> dict[str, Any]:
    """How the document describes an error."""
    phrase = HTTPStatus(status).phrase
    kind = phrase.lower().replace(" ", "-")
    example = {
        "type": f"urn:muster:problem:{kind}",
        "title": phrase,
        "status": status,
        "detail": "What is wrong, and what to do.",
        "request_id": "0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f",
    }
    content = {name: {**media, "example": example} for name, media in _PROBLEM.items()}
    return {"description": phrase, "content": content, "headers": _HEADERS.get(status, {})}


def _required(request_body: dict[str, Any]) -> dict[str, Any]:
    return {**request_body, "required": True}


def _all(refusals: Collection[int], access: Access) -> list[int]:
    if access == "public":
        return sorted({*refusals, 503})
    own = {401, 503} | ({403} if access and access != "basic" else set())
    return sorted({*refusals, *own})


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access == "basic":
        return [{"basic": []}]
    if access == "public":
        return []
    return [{"bearer": [permission]} for permission in access] or [{"bearer": []}]
