"""The secrets of endpoints: made here, and encrypted by keys that are not in the database.

AES-256-GCM (NIST SP 800-38D), with the endpoint's id as associated data: a secret that is moved to
another endpoint can't be opened there.
"""

import hashlib
import secrets
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from muster.adapters import ConfigurationError
from muster.backends.private_file import read_or_create

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SECRET_BYTES = 32
_PREFIX = "whsec_"


class SecretLost(Exception):
    """None of the keys opens a secret: the one that sealed it is not in the file any more."""


def new_secret() -> str:
    """A secret as Standard Webhooks writes it: `whsec_` and base64 of 24 to 64 random bytes."""
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


class SecretBox:
    """Seals by the first of the keys, and opens what any of them has sealed."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = {_name(key): AESGCM(key) for key in keys}
        self._first = _name(keys[0])

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """By the keys in the file, one a line in base64; one is made where there is no such file.

        Raises ConfigurationError.
        """
        content = read_or_create(path, lambda: b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
        try:
            keys = [b64decode(line, validate=True) for line in content.split()]
        except ValueError:
            keys = []
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise ConfigurationError(
                f"{path} does not hold keys: write 32 random bytes in base64 on each line."
            )
        return cls(keys)

    def seal(self, endpoint_id: str, secret: str) -> str:
        """The secret as the database keeps it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[self._first].encrypt(nonce, secret.encode(), endpoint_id.encode())
        return f"{self._first}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, endpoint_id: str, sealed: str) -> str:
        """The secret again; raises SecretLost."""
        name, _, text = sealed.partition(".")
        key, content = self._keys.get(name), urlsafe_b64decode(text)
        if key is None:
            raise SecretLost(f"the key {name} is not in the file")
        try:
            nonce, rest = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
            return key.decrypt(nonce, rest, endpoint_id.encode()).decode()
        except InvalidTag:
            raise SecretLost("it was not sealed for this endpoint") from None


def _name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
