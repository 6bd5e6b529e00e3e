"""What Muster sends to webhooks, as the OpenAPI document shows it.

Notification makes and signs it: these models only describe it.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.api.webhooks import api
from muster.contracts.upload_document import UploadDocument


class UploadFinished(BaseModel):
    """An upload of the webhook's owner is final."""

    type: Literal["upload.finished"]
    timestamp: datetime = Field(
        description="When the upload became final.", examples=["2021-11-07T02:48:45.250000Z"]
    )
    data: UploadDocument = Field(
        description="The upload as `GET /v1/uploads/{id}` shows it to its owner when the call is "
        "made, with whole URLs as its links."
    )


class Tried(BaseModel):
    """Which webhook is tried."""

    webhook: str = Field(
        description="The webhook's id.", examples=["0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f"]
    )
    message: str = Field(examples=["This is a test: nothing has happened."])


class WebhookTest(BaseModel):
    """The webhook is tried, by `POST /v1/webhooks/{id}/test`."""

    type: Literal["webhook.test"]
    timestamp: datetime = Field(examples=["2021-11-07T02:48:45.250000Z"])
    data: Tried


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
_HEADERS = [
    _header(
        "webhook-id",
        "The id of the event, the same over all attempts and replays: by it, do nothing twice.",
        "msg_0d9f0a7c1d2e3f4a5b5b4e5b0c2a6f4f",
    ),
    _header(
        "webhook-timestamp",
        "When this call was made, in seconds since 1970. Turn away what is older than minutes.",
        "1764320000",
    ),
    _header(
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA256, by the webhook's secret, over `webhook-id`, "
        "`webhook-timestamp` and the body, with dots between them. For 24 hours after the secret "
        "was changed there are two, with a blank between them.",
        "v1,C2FVsBQIhrscChlQIMV+b5sSYspob7oDzqtTMWfyoLo=",
    ),
]
_ANSWERS = {
    "2XX": {"description": "Taken. It must come within 15 seconds; only the status is looked at."},
    "410": {"description": "Not wanted any more: the webhook is disabled."},
    "default": {"description": "Not taken: it is sent again for three days, ever more rarely."},
}


def _call(operation_id: str, summary: str, description: str, event: type[BaseModel]) -> Any:
    return {
        "post": {
            "tags": ["Webhooks"],
            "summary": summary,
            "description": f"{description} Verify the signature before you believe it.",
            "operationId": operation_id,
            "parameters": _HEADERS,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": api.schema_of(event)}},
            },
            "responses": _ANSWERS,
            # Signed, instead.
            "security": [],
        }
    }


WEBHOOKS: dict[str, Any] = {
    "upload.finished": _call(
        "upload_finished",
        "An upload of yours is final",
        "Sent to each of your webhooks that is enabled, at least once, for uploads, undos and "
        "erasures alike: `data.kind` says which. No rows are in it: `data.links.rejects` leads to "
        "those that were rejected. Pass over fields that you don't know.",
        UploadFinished,
    ),
    "webhook.test": _call(
        "webhook_test",
        "A webhook is tried",
        "Sent when its owner asks for it.",
        WebhookTest,
    ),
}
