"""The routes of receipts: that of one upload, and the keys by which anybody verifies one."""

from typing import NoReturn

from flask import Blueprint, Response, g, jsonify

from dbuploader.journal.receipts import claims_in, find_receipt, published_keys
from dbuploader.services import services
from muster.http.problems import Problem
from muster.http.tokens import requires

blueprint = Blueprint("receipts", __name__)

_TYPE = "application/jose"
# A new key is published before the first receipt that it signs: who has a receipt of one that is
# not in an older copy asks again.
_KEYS_SECONDS = 300


@blueprint.get("/v1/uploads/<upload_id>/receipt")
@requires("uploads:read", "uploads:admin")
def get_receipt(upload_id: str) -> Response:
    """The receipt of an upload that is decided, for whom the gateway shows the upload."""
    with services().database.read() as connection:
        found = find_receipt(connection, upload_id)
    if found is None:
        _refuse("The loader has not decided such an upload.")
    if found.receipt is None:
        _refuse("There is no receipt: a version decided the upload that did not sign any.")
    owner = claims_in(found.receipt)["submitted_by"]
    if owner != g.principal.id and not g.principal.may("uploads:admin"):
        _refuse("The loader has not decided such an upload.")
    response = Response(found.receipt, content_type=_TYPE)
    # It never changes, and is for nobody else.
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@blueprint.get("/.well-known/receipts.json")
def show_keys() -> Response:
    """The public keys that have signed receipts, retired ones too, as a JWK Set (RFC 7517)."""
    with services().database.read() as connection:
        response = jsonify(keys=published_keys(connection))
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_SECONDS}"
    return response


def _refuse(detail: str) -> NoReturn:
    raise Problem("not-found", detail)
