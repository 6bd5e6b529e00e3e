"""Receipts, which dbuploader keeps: that of an upload, and the keys by which one is verified."""

from typing import Any

from flask import Response, g

from gateway.api.openapi import Api
from gateway.api.requests import UploadPath
from gateway.api.responses import JsonWebKeys
from gateway.api.uploads import READERS
from gateway.proxy.forward import forward, forward_for_all
from gateway.services import services

api = Api("receipts", __name__, abp_tags=[{"name": "Uploads"}])

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
    """The signed receipt of a final upload: what was sent, and what became of it."""
    services().access.get_final(g.principal, path.id)
    return forward(services().dbuploader)


@api.operation("get", "/.well-known/receipts.json", access="public", answers={200: JsonWebKeys})
def list_receipt_keys() -> Response:
    """The public keys of all receipts, of retired keys too, as a JWK Set (RFC 7517)."""
    return forward_for_all(services().dbuploader, services().coalescer)
