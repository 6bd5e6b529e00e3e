"""A private key that signs: Ed25519 (RFC 8037), in a PEM file that nobody else can read.

Auth has one for its tokens, and the loader another for its receipts. A file may hold several keys
one below the other: the first signs, and what any of them signed is still taken.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from muster.adapters import ConfigurationError
from muster.backends.private_file import read_or_create

ALGORITHM = "EdDSA"
_PEM = re.compile(rb"-----BEGIN [^-]*-----.*?-----END [^-]*-----", re.DOTALL)


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
        canonical = json.dumps(self._members, sort_keys=True, separators=(",", ":"))
        return base64url(hashlib.sha256(canonical.encode()).digest())

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517, section 4; RFC 8037, section 2)."""
        return {**self._members, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    @property
    def _members(self) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.public.public_bytes_raw())}


def base64url(content: bytes) -> str:
    """As JOSE writes bytes: without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def load_keys(path: Path) -> tuple[SigningKey, ...]:
    """The keys in the file `path`, which is made if it is absent. Raises ConfigurationError."""
    content = read_or_create(path, _new_key)
    return tuple(_parse(path, block) for block in _PEM.findall(content) or [content])


def load_key(path: Path) -> SigningKey:
    """The key in the file `path` that signs. Raises ConfigurationError."""
    return load_keys(path)[0]


def _parse(path: Path, block: bytes) -> SigningKey:
    try:
        key = serialization.load_pem_private_key(block, password=None)
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
