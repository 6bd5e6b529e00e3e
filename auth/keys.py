"""The key that signs tokens: Ed25519 (RFC 8037), one at a time, in a PEM file."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from auth.privatefile import read_or_create
from muster.adapters import ConfigurationError
from muster.http.tokens import ALGORITHM


@dataclass(frozen=True)
class SigningKey:
    """A private key; `kid` is the thumbprint of its public half (RFC 7638)."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> Ed25519PublicKey:
        """What checks the signatures."""
        return self.private.public_key()

    @property
    def kid(self) -> str:
        """SHA-256 of the required members in lexical order, base64url without padding."""
        members = OKPAlgorithm.to_jwk(self.public, as_dict=True)
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK Set (RFC 7517, section 5)."""
        public = OKPAlgorithm.to_jwk(self.public, as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}


def load_key(path: Path) -> SigningKey:
    """The key in the file `path`, made if there is no such file. Raises ConfigurationError."""
    content = read_or_create(path, _new_key)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no private key in PEM without password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} holds a key of another kind than Ed25519.")
    return SigningKey(key)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
