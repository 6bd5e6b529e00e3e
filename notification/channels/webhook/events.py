"""What an endpoint is sent: the event as JSON, and the headers that sign it.

It is made when it is sent, from the upload's record as it is then: nothing of an upload is kept
with its deliveries, so that nothing of it stays there once it is erased.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from muster.contracts.upload_document import represent
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.uploadstore import UploadNotFound, UploadStore

FINISHED = "upload.finished"
TEST = "webhook.test"
EVENTS = (FINISHED,)
"""The events that an endpoint gets without having asked for each."""


def finished_event(upload: Upload, store: UploadStore, public_url: str) -> bytes:
    """The event of a final upload, with the upload as the API shows it to its owner.

    Raises StoreUnavailable.
    """
    data = represent(upload, may_name=_owns(upload.owner, store), base=public_url)
    return _encode(FINISHED, upload.finished_at or upload.submitted_at, data)


def test_event(endpoint_id: str, at: datetime) -> bytes:
    """The event by which somebody tries an endpoint."""
    message = "This is a test: nothing has happened."
    return _encode(TEST, at, {"webhook": endpoint_id, "message": message})


def signed_headers(secrets: Sequence[str], delivery_id: str, body: bytes) -> dict[str, str]:
    """The headers of a request with this body, signed by each of the secrets.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    now = datetime.now(UTC)
    signatures = (Webhook(each).sign(delivery_id, now, body.decode()) for each in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Muster-Webhooks",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _encode(event: str, at: datetime, data: dict[str, Any]) -> bytes:
    document = {"type": event, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _owns(owner: str, store: UploadStore) -> Callable[[str], bool]:
    def owns(upload_id: str) -> bool:
        try:
            return store.get(upload_id).owner == owner
        except (UploadNotFound, UnreadableRecord):
            return False

    return owns
