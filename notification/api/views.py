"""The routes of webhooks. They are one's own: each looks for those of the user who asks."""

import re
from typing import Annotated

from flask import Blueprint, Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from muster.http.paging import with_next
from muster.http.problems import invalid
from muster.http.tokens import requires
from notification.api.services import services
from notification.channels.webhook.deliveries import Delivery
from notification.channels.webhook.endpoints import Changes, Endpoint

blueprint = Blueprint("webhooks", __name__)

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

_Description = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Answer = tuple[Response, int, dict[str, str]]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewEndpoint(_Request):
    """An endpoint to register; construction raises pydantic's ValidationError."""

    url: str
    description: _Description = ""


class EndpointChanges(_Request):
    """Changes to an endpoint; a field left out stays as it is."""

    url: str | None = None
    description: _Description | None = None
    enabled: bool | None = None
    rotate_secret: bool = False

    @field_validator("url", "description", "enabled")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "Leave the field out to keep what it is.")
        return value


@blueprint.get("/v1/webhooks")
@requires()
def list_webhooks() -> Response:
    """The user's endpoints."""
    return jsonify(webhooks=[each.to_json() for each in services().endpoints.all(g.principal.id)])


@blueprint.post("/v1/webhooks")
@requires(by_key=False)
def add_webhook() -> Answer:
    """Register an endpoint; this answer alone shows its secret."""
    new = NewEndpoint.model_validate_json(request.get_data())
    endpoint = services().endpoints.add(g.principal.id, new.url, new.description)
    return jsonify(endpoint.to_json()), 201, {"Location": f"/v1/webhooks/{endpoint.id}"}


@blueprint.get("/v1/webhooks/<endpoint_id>")
@requires()
def show_webhook(endpoint_id: str) -> Response:
    """One of the user's endpoints."""
    return _shown(services().endpoints.get(g.principal.id, endpoint_id))


@blueprint.patch("/v1/webhooks/<endpoint_id>")
@requires(by_key=False)
def change_webhook(endpoint_id: str) -> Response:
    """Change an endpoint; with `rotate_secret`, this answer alone shows the new secret."""
    given = EndpointChanges.model_validate_json(request.get_data())
    changes = Changes(given.url, given.description, given.enabled, given.rotate_secret)
    return _shown(services().endpoints.change(g.principal.id, endpoint_id, changes))


@blueprint.delete("/v1/webhooks/<endpoint_id>")
@requires(by_key=False)
def delete_webhook(endpoint_id: str) -> tuple[str, int]:
    """Remove an endpoint, and its deliveries with it."""
    services().endpoints.delete(g.principal.id, endpoint_id)
    return "", 204


@blueprint.get("/v1/webhooks/<endpoint_id>/deliveries")
@requires()
def list_deliveries(endpoint_id: str) -> Response:
    """The deliveries to an endpoint, newest first."""
    page = services().deliveries.list(
        g.principal.id, endpoint_id, request.args.get("cursor"), _limit()
    )
    shown = [each.to_json() for each in page.deliveries]
    return with_next(jsonify(deliveries=shown, next=page.next), page.next)


@blueprint.post("/v1/webhooks/<endpoint_id>/deliveries/<delivery_id>/replay")
@requires()
def replay_delivery(endpoint_id: str, delivery_id: str) -> Answer:
    """Send a delivery again."""
    replayed = services().deliveries.replay(g.principal.id, endpoint_id, delivery_id)
    return _entered(endpoint_id, replayed)


@blueprint.post("/v1/webhooks/<endpoint_id>/test")
@requires()
def test_webhook(endpoint_id: str) -> Answer:
    """Send a test to an endpoint."""
    return _entered(endpoint_id, services().deliveries.test(g.principal.id, endpoint_id))


def _shown(endpoint: Endpoint) -> Response:
    return jsonify(endpoint.to_json())


def _entered(endpoint_id: str, delivery: Delivery) -> Answer:
    place = {"Location": f"/v1/webhooks/{endpoint_id}/deliveries"}
    return jsonify(delivery.to_json()), 202, place


def _limit() -> int:
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise invalid(("limit", f"Give a number of deliveries from 1 to {MAX_LIMIT}."))
