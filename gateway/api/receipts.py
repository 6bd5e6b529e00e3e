"""Receipts, which dbuploader keeps: that of an upload, and the keys by which one is verified."""

from typing import Any

from flask import Response, g

from gateway.api.openapi import Api
from gateway.api.requests import UploadPath
from gateway.api.responses import JsonWebKeys
from gateway.api.uploads import READERS
from gateway.proxy.forward import forward, forward_for_all
from gateway.services import services

api = Api("receipts", __name__, tag="Uploads")

_RECEIPT: dict[str, Any] = {
    "description": "The receipt: a compact JWS (RFC 7515), signed by EdDSA.",
    "content": {"application/jose": {"schema": {"type": "string"}}},
}


@api.operation(
    "get",
    "/v1/uploads/<id>/receipt",
    access=READERS,
    answers={200: _RECEIPT},
    refusals=(404, 409),
)
def get_receipt(path: UploadPath) -> Response:
    """Download the receipt of an upload.

    Of a final one: a signed statement of what was sent, when, and what became of it. The keys to
    verify it with are at `GET /.well-known/receipts.json`.
    """
    services().access.get_final(g.principal, path.id)
    return forward(services().dbuploader)


@api.operation("get", "/.well-known/receipts.json", access="public", answers={200: JsonWebKeys})
def list_receipt_keys() -> Response:
    """List the keys that sign receipts.

    The public keys as a JWK Set (RFC 7517), retired ones too, so that old receipts can be verified.
    """
    return forward_for_all(services().dbuploader, services().coalescer)
