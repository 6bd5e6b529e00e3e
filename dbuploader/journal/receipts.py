"""Receipts: what the loader signs of each upload as it is decided, one chained to the next.

A receipt is a compact JWS (RFC 7515) by Ed25519 (RFC 8037) over what the ledger says of the upload
and what it was sent as, with the SHA-256 of the receipt before it. It holds neither the file's name
nor an email address: it outlives the erasure of a person, and a hash of a name can be guessed.
`docs/receipts.md` says how anybody verifies one.
"""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, insert, select

from dbuploader.db.schema import ledger, receipt_keys
from muster.backends.signing_key import ALGORITHM, SigningKey, base64url
from muster.contracts.uploads import Upload

TYPE = "muster-receipt+jws"
_COUNTS = ("inserted", "updated", "unchanged", "rejected", "unprocessed")
_COMPACT = (",", ":")


class ReceiptSigner:
    """Signs receipts with the loader's own key; `issuer` is where people reach the suite, or ""."""

    def __init__(self, key: SigningKey, issuer: str = "") -> None:
        self._private = key.private
        self._jwk = key.jwk
        self._issuer = {"iss": issuer} if issuer else {}
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
        self._header = base64url(_json(header))

    def sign_each(
        self, decided: Sequence[tuple[Upload, Mapping[str, Any]]], latest: str | None
    ) -> Iterator[str]:
        """The receipts of uploads, each with its row in the ledger, in the ledger's order.

        `latest` is the digest of the receipt before the first, None if there is none.
        """
        for upload, row in decided:
            receipt = self._sign(
                {
                    **self._issuer,
                    "number": row["number"],
                    "previous": latest,
                    **sent(upload),
                    **decision(row),
                }
            )
            latest = digest(receipt)
            yield receipt

    def publish_key(self, connection: Connection) -> None:
        """Enter the public key, unless it is there: before the first receipt that it signs.

        The head of the journal must be locked: nobody else enters one meanwhile.
        """
        kid = self._jwk["kid"]
        mine = select(receipt_keys.c.kid).where(receipt_keys.c.kid == kid)
        if connection.execute(mine.with_for_update(read=True)).first() is None:
            connection.execute(
                insert(receipt_keys),
                {
                    "kid": kid,
                    "public_key": json.dumps(self._jwk),
                    "used_since": datetime.now(UTC).replace(tzinfo=None),
                },
            )

    def _sign(self, claims: Mapping[str, Any]) -> str:
        signed = f"{self._header}.{base64url(_json(claims))}"
        return f"{signed}.{base64url(self._private.sign(signed.encode()))}"


def sent(upload: Upload) -> dict[str, Any]:
    """What a receipt says of an upload as it was accepted."""
    undoes = {"undoes": upload.undoes} if upload.undoes else {}
    return {
        "upload": upload.id,
        "kind": upload.kind,
        **undoes,
        "table": upload.table,
        "sha256": upload.sha256,
        "size": upload.size,
        "submitted_at": _in_utc(upload.submitted_at),
        "submitted_by": upload.owner,
    }


def decision(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a receipt says of a row in the ledger, beside its number."""
    counts = {name: row[name] for name in _COUNTS}
    undone = row["undone"]
    return {
        "state": row["state"],
        "rows": {"read": row["rows_read"], **counts} if undone is None else json.loads(undone),
        "error": row["error_code"],
        "change": row["change"],
        "decided_at": _in_utc(row["decided_at"].replace(tzinfo=UTC)),
    }


def digest(receipt: str) -> str:
    """What the next receipt says of this one: the SHA-256 of its text, in hexadecimal."""
    return hashlib.sha256(receipt.encode()).hexdigest()


class InvalidReceipt(Exception):
    """It is no receipt, or not one that a key has signed which is known; the message says why."""


def verification_keys(jwks: Sequence[Mapping[str, str]]) -> dict[str, Ed25519PublicKey]:
    """The keys by their `kid`."""
    return {
        each["kid"]: Ed25519PublicKey.from_public_bytes(_from_base64url(each["x"])) for each in jwks
    }


def verify(receipt: str, keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """What the receipt says, if one of the keys has signed it; raises InvalidReceipt."""
    try:
        header, payload, signature = receipt.split(".")
        protected = json.loads(_from_base64url(header))
        claims: dict[str, Any] = json.loads(_from_base64url(payload))
        if (protected["alg"], protected["typ"]) != (ALGORITHM, TYPE):
            raise InvalidReceipt(f"a JWS of type {protected['typ']}, by {protected['alg']}")
        if protected["kid"] not in keys:
            raise InvalidReceipt(f"one by an unknown key, {protected['kid']}")
        signed = f"{header}.{payload}".encode()
        keys[protected["kid"]].verify(_from_base64url(signature), signed)
    except InvalidSignature:
        raise InvalidReceipt("one that its key has not signed") from None
    except (ValueError, LookupError, TypeError) as error:
        raise InvalidReceipt(f"no JWS: {error}") from None
    return claims


class StoredReceipt(NamedTuple):
    """That of an upload that is decided; None if a version decided it that signed none."""

    receipt: str | None


def find_receipt(connection: Connection, upload_id: str) -> StoredReceipt | None:
    """The upload's receipt, None if the upload is not decided."""
    mine = select(ledger.c.receipt).where(ledger.c.upload_id == upload_id)
    row = connection.execute(mine).first()
    return None if row is None else StoredReceipt(row.receipt)


def claims_in(receipt: str) -> dict[str, Any]:
    """What the receipt says, unverified."""
    _, payload, _ = receipt.split(".")
    claims: dict[str, Any] = json.loads(_from_base64url(payload))
    return claims


def published_keys(connection: Connection) -> list[dict[str, str]]:
    """The public keys, as JWK, of all keys that have signed receipts: the oldest first."""
    order = receipt_keys.c.used_since, receipt_keys.c.kid
    found = connection.scalars(select(receipt_keys.c.public_key).order_by(*order))
    return [json.loads(each) for each in found]


def _from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=_COMPACT).encode()
