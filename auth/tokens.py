"""Access tokens: issuing them, checking them against the user as it is now, and the signing key.

The key is Ed25519 (RFC 8037), one at a time, in a PEM file that nobody else can read.
"""

import base64
import hashlib
import json
import os
import stat
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from auth.repository import UserStore
from auth.users import StoredUser
from muster.adapters import ConfigurationError
from muster.backends.atomic_file import create_file
from muster.http.tokens import ALGORITHM, AUDIENCE, ISSUER, InvalidToken, Principal, principal_of

_FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP
"""A group may read: Kubernetes mounts a secret for a pod's `fsGroup` so."""


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


class AccessTokens:
    """Signs and checks tokens that live `seconds`. `clock` gives Unix time."""

    def __init__(
        self,
        key: SigningKey,
        store: UserStore,
        seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.seconds = seconds
        self._key = key
        self._kid = key.kid
        self._store = store
        self._clock = clock

    def issue(self, user: StoredUser) -> str:
        """A signed JWT for `user`."""
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "iat": now,
            "exp": now + self.seconds,
            "jti": uuid.uuid4().hex,
            "email": user.email,
            "permissions": sorted(user.permissions),
            "generation": user.generation,
        }
        return jwt.encode(claims, self._key.private, ALGORITHM, headers={"kid": self._kid})

    def verify(self, token: str) -> Principal:
        """Who the token stands for, with the permissions that they have now.

        Raises InvalidToken, also when the token was ended, and DatabaseUnavailable.
        """
        claimed = principal_of(token, self._key.public)
        if jwt.get_unverified_header(token).get("kid") != self._kid:
            raise InvalidToken("signed under another key id")
        with self._store.reading() as users:
            user = users.get(claimed.id)
            signed_out = users.has_ended(claimed.token_id)
        if user is None or user.disabled or user.generation != claimed.generation or signed_out:
            raise InvalidToken("ended")
        return replace(claimed, email=user.email, permissions=user.permissions)


def load_key(path: Path) -> SigningKey:
    """The key in the file `path`, made if there is no such file. Raises ConfigurationError."""
    content = _read_or_create(path, _new_key)
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


def _read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; where it is absent it gets what `make` returns, with mode 0600.

    Of several processes that start at once, all get what the first one wrote. Raises
    ConfigurationError when others may read the file, or it can't be read or made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            create_file(path, make())
        return _read_private(path)
    except OSError as error:
        raise ConfigurationError(f"The secret in {path} can't be used: {error}") from error


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _FORBIDDEN:
            raise ConfigurationError(f"Others have access to {path}; run chmod 600 on it.")
        return file.read()
