"""Declares the operations of the API: what the document says of one is what is enforced."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Literal, get_type_hints

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.schema import Schema
from pydantic import BaseModel, ValidationError

from gateway.api.headers import OF_ERRORS, named
from gateway.errors import from_validation
from muster.contracts.problems import PROBLEM_TYPES, first_kind, uri_of
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

TAGS = {
    "Accounts": "Logging in, your own account, and the users of this installation.",
    "Access keys": "Long-lived tokens for programs, with the permissions that you give them.",
    "Audit log": "Who signed in, and who changed what of users, keys, webhooks and rows.",
    "Uploads": "Sending a CSV file or workbook, following it until it is loaded, fetching the rows "
    "that were rejected, and taking it back.",
    "Webhooks": "Being called when an upload is final, as Standard Webhooks specifies.",
    "Tables": "The declared tables, and their rows: reading, writing, checking and erasing them.",
    "Queries": "What the hired employees add up to. Both questions are answered as JSON or CSV.",
}
"""What the operations are about, with a sentence on each."""


class Api(APIBlueprint):
    """Operations of one subject, all with the same tag: one of `TAGS`."""

    def __init__(self, name: str, import_name: str, *, tag: str) -> None:
        tags: list[Any] = [{"name": tag, "description": TAGS[tag]}]
        super().__init__(name, import_name, abp_tags=tags)
        self.heads: dict[str, str] = {}

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
        return self.define(
            model.__name__, model.model_json_schema(ref_template=f"{_SCHEMAS}/{{model}}")
        )

    def define(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """A reference to the schema, which is put among those of the document by this name."""
        for each, part in {**schema.pop("$defs", {}), name: schema}.items():
            self.components_schemas[each] = Schema(**part)
        return {"$ref": f"{_SCHEMAS}/{name}"}

    def json_body(self, model: type[BaseModel]) -> dict[str, Any]:
        """A request body of JSON, for the document; the service that answers checks it.

        None takes a field that it does not know: a misspelt one would be passed over.
        """
        schema = model.model_json_schema(ref_template=f"{_SCHEMAS}/{{model}}")
        reference = self.define(model.__name__, {**schema, "additionalProperties": False})
        return {
            "description": _first_paragraph(model),
            "content": {"application/json": {"schema": reference}},
        }

    def json_answer(self, model: type[BaseModel], *headers: str) -> dict[str, Any]:
        """An answer of JSON with these headers, for the document."""
        return {
            "description": _first_paragraph(model),
            "headers": named(*headers),
            "content": {"application/json": {"schema": self.schema_of(model)}},
        }

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
        head: str | None = None,
    ) -> Callable[[View], View]:
        """Serve `rule` by the view, to those that have `access`; without `by_key`, not to keys.

        `answers` and `refusals` are the statuses that the document lists; 401, 403 and 503 are
        added where there can be. The view's parameters `path`, `query` and `header` are checked by
        their annotations. The first line of its docstring is the summary, and its name the
        operation's id, which generated clients are called by: it stays. `head` is that of HEAD,
        where the document is to list it, too.
        """
        keyless = () if by_key else (403,)
        errors = {status: problem(status) for status in _all({*refusals, *keyless}, access)}

        if head is not None:
            self.heads[rule] = head

        def declare(view: View) -> View:
            summary, description = _texts(view)
            declared: View = getattr(self, method)(
                rule,
                summary=summary,
                description="\n\n".join(filter(None, (description, _needed(access, by_key)))),
                security=_security(access),
                responses={**self._described(answers), **errors},
                operation_id=view.__name__,
                access=access,
                by_key=by_key,
                **({} if request_body is None else {"request_body": _required(request_body)}),
            )(view)
            return declared

        return declare

    def _described(self, answers: Answers) -> dict[int, dict[str, Any] | None]:
        return {
            status: self.json_answer(answer) if isinstance(answer, type) else answer
            for status, answer in answers.items()
        }


def _texts(view: View) -> tuple[str, str]:
    """The summary and the description of an operation, each paragraph on one line."""
    first, *others = (getdoc(view) or "").split("\n\n")
    summary = " ".join(first.split()).removesuffix(".")
    return summary, "\n\n".join(" ".join(paragraph.split()) for paragraph in others)


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((getdoc(model) or "").split("\n\n")[0].split())


def _needed(access: Access, by_key: bool) -> str:
    """What a caller needs, for people: `security` says the same to programs."""
    match access:
        case "public":
            return "Needs no token."
        case "basic":
            return "Needs your email address and password, by HTTP Basic."
        case ():
            needed = "Needs a token; no permission."
        case _:
            needed = f"Needs the permission {' or '.join(f'`{each}`' for each in access)}."
    return needed if by_key else f"{needed} An access key won't do."


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
    kind = first_kind(status)
    example = {
        "type": uri_of(kind),
        "title": PROBLEM_TYPES[kind].title,
        "status": status,
        "detail": "What is wrong, and what to do.",
        "request_id": "0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f",
    }
    content = {name: {**media, "example": example} for name, media in _PROBLEM.items()}
    return {"description": phrase, "content": content, "headers": named(*OF_ERRORS.get(status, ()))}


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
