"""Webhooks: notification answers. They are one's own, and need no permission."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

import json
from datetime import datetime
from typing import Annotated, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from gateway.api.headers import RATE_LIMITS
from gateway.api.openapi import ANY_TOKEN, Api
from gateway.api.requests import Digits, Parameters, Query
from gateway.proxy.audit import host_of, note
from gateway.proxy.forward import forward
from gateway.services import services

api = Api("webhooks", __name__, tag="Webhooks")

_URL = Field(
    max_length=2048,
    pattern="^https://",
    description="An https URL of a public host, at port 443 or 8443, without user name, password "
    "and fragment.",
    examples=["https://hooks.example.com/muster"],
)
_DESCRIPTION = Field(default="", max_length=200, examples=["The payroll script"])


class Webhook(BaseModel):
    """An endpoint, which is told when an upload of its owner is final."""

    id: str
    url: str = _URL
    description: str = _DESCRIPTION
    events: list[str] = Field(examples=[["upload.finished"]])
    enabled: bool
    reason: str | None = Field(
        description="Why the last call failed, or why it is disabled; null if neither."
    )
    failing_since: datetime | None = Field(description="Since when every call has failed.")
    created_at: datetime
    secret: str | None = Field(
        None,
        description="What signs the calls. Shown once: when it is new.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    )


class Webhooks(BaseModel):
    """One's endpoints."""

    webhooks: list[Webhook]


class NewWebhook(BaseModel):
    """An endpoint to register."""

    url: str = _URL
    description: str = _DESCRIPTION


class WebhookChange(BaseModel):
    """What to change of an endpoint; what is left out stays."""

    url: str = Field(default_factory=str, max_length=2048, pattern="^https://")
    description: str = Field(default_factory=str, max_length=200)
    enabled: bool = Field(
        default_factory=bool,
        description="One that is disabled is not called, and what waits for it is dead.",
    )
    rotate_secret: bool = Field(
        False,
        description="Make a new secret, which the answer shows; for 24 hours each call is signed "
        "by both.",
    )


class WebhookDelivery(BaseModel):
    """An event that was sent to an endpoint, or is to be."""

    id: str = Field(
        description="The `webhook-id` of each of its calls.",
        examples=["msg_0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f"],
    )
    event: str = Field(examples=["upload.finished"])
    upload: str | None = Field(description="The upload's id; null of a test.")
    created_at: datetime
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    last_attempt_at: datetime | None
    last_status: int | None = Field(description="The HTTP status of the last answer.")
    reason: str | None = Field(description="Why the last attempt failed.")
    next_attempt_at: datetime | None


class WebhookDeliveries(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[WebhookDelivery]
    next: str | None = Field(description="The cursor of the next page, if there is one.")


class WebhookPath(Parameters):
    """Which webhook."""

    id: str = Field(description="The webhook's id.", examples=["5b4e5b0c2a6f4f0d9f0a7c1d2e3f4a5b"])


class DeliveryPath(WebhookPath):
    """Which delivery to it."""

    delivery: str = Field(
        description="The delivery's id.", examples=["msg_0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f"]
    )


class DeliveriesQuery(Query):
    """Which deliveries to list."""

    limit: Annotated[int, Field(ge=1, le=100), Digits] = Field(20, description="How many at most.")
    cursor: str | None = Field(None, min_length=1, description="`next` of the page before.")


@api.operation("get", "/v1/webhooks", access=ANY_TOKEN, answers={200: Webhooks})
def list_webhooks() -> Response:
    """List my webhooks.

    With what is wrong with those that fail.
    """
    return forward(services().notification)


@api.operation(
    "post",
    "/v1/webhooks",
    access=ANY_TOKEN,
    by_key=False,
    answers={201: Webhook},
    refusals=(409, 422),
    request_body=api.json_body(NewWebhook),
)
def add_webhook() -> Response:
    """Register a webhook.

    A URL of yours that is called when an upload of yours is final. This answer alone shows the
    secret that signs the calls. What is sent is under `webhooks` in this document.
    """
    note(services().auth, "webhook-made", _host_named())
    return forward(services().notification, with_body=True)


@api.operation(
    "get", "/v1/webhooks/<id>", access=ANY_TOKEN, answers={200: Webhook}, refusals=(404,)
)
def get_webhook(path: WebhookPath) -> Response:
    """Show a webhook.

    With the reason if its last call failed.
    """
    return forward(services().notification)


@api.operation(
    "patch",
    "/v1/webhooks/<id>",
    access=ANY_TOKEN,
    by_key=False,
    answers={200: Webhook},
    refusals=(404, 422),
    request_body=api.json_body(WebhookChange),
)
def change_webhook(path: WebhookPath) -> Response:
    """Change a webhook.

    Its URL or description; disable or enable it, or give it a new secret. What is left out stays.
    """
    note(services().auth, "webhook-changed", path.id)
    return forward(services().notification, with_body=True)


@api.operation(
    "delete",
    "/v1/webhooks/<id>",
    access=ANY_TOKEN,
    by_key=False,
    answers={204: None},
    refusals=(404,),
)
def delete_webhook(path: WebhookPath) -> Response:
    """Delete a webhook.

    With its deliveries; those that wait are not sent.
    """
    note(services().auth, "webhook-deleted", path.id)
    return forward(services().notification)


@api.operation(
    "get",
    "/v1/webhooks/<id>/deliveries",
    access=ANY_TOKEN,
    answers={200: api.json_answer(WebhookDeliveries, "Link")},
    refusals=(404, 422),
)
def list_deliveries(path: WebhookPath, query: DeliveriesQuery) -> Response:
    """List the deliveries to a webhook.

    What was sent to it in the last 30 days or waits to be, newest first.
    """
    return forward(services().notification)


@api.operation(
    "post",
    "/v1/webhooks/<id>/deliveries/<delivery>/replay",
    access=ANY_TOKEN,
    answers={202: api.json_answer(WebhookDelivery, *RATE_LIMITS)},
    refusals=(404, 409, 429),
)
def replay_delivery(path: DeliveryPath) -> Response:
    """Send a delivery again.

    One that was delivered or is dead, by the same `webhook-id`.
    """
    return forward(services().notification)


@api.operation(
    "post",
    "/v1/webhooks/<id>/test",
    access=ANY_TOKEN,
    answers={202: api.json_answer(WebhookDelivery, *RATE_LIMITS)},
    refusals=(404, 409, 429),
)
def test_webhook(path: WebhookPath) -> Response:
    """Try a webhook.

    It is sent the event `webhook.test`; the delivery says what became of it.
    """
    return forward(services().notification)


def _host_named() -> str:
    """The host of the URL in this request's body, if it has one."""
    try:
        return host_of(json.loads(request.get_data())["url"])
    except (ValueError, KeyError, TypeError):
        return ""
