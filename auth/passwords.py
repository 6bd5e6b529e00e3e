"""Passwords: their hashes, which may be chosen, and which are too easy to guess.

Hashes are Argon2id with the parameters that OWASP names:
https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
How easy one is to guess, zxcvbn estimates (https://doi.org/10.5555/3241094). There are no rules of
composition: they make people write `Password1!`, which guessers try first.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from typing import Any, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

MIN_LENGTH = 12
MAX_LENGTH = 1024
"""Characters. What NIST SP 800-63B-4 asks for is compared in docs/security.md."""


def is_acceptable(password: str) -> bool:
    """Whether a new password has a length and characters that may be used.

    HTTP Basic can't carry control characters (RFC 7617, section 2).
    """
    has_control = any(unicodedata.category(character) == "Cc" for character in password)
    return MIN_LENGTH <= len(password) <= MAX_LENGTH and not has_control


class Hasher(Protocol):
    """What is used of `argon2.PasswordHasher`."""

    def hash(self, password: str) -> str:
        """A salted hash."""

    def verify(self, hash: str, password: str) -> bool:
        """True, or argon2's VerificationError or InvalidHashError."""

    def check_needs_rehash(self, hash: str) -> bool:
        """Whether other parameters made the hash."""


def owasp_hasher() -> Hasher:
    """Argon2id of 19 MiB, two passes, one lane."""
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Passwords:
    """Makes and checks password hashes."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._dummy = hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """The hash to keep of `password`."""
        return self._hasher.hash(_normalised(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether `kept` is the hash of `password`. Takes as long for None, of no such user."""
        try:
            self._hasher.verify(kept or self._dummy, _normalised(password))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether `kept` was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(kept)


def _normalised(password: str) -> str:
    # Keyboards differ in how they compose the same character (NIST SP 800-63B-4, 3.1.1.2).
    return unicodedata.normalize("NFKC", password)


MIN_SCORE = 3
"""Of 0 to 4: at least 10^8 guesses, which take a century at 100 an hour."""
SCORED_CHARACTERS = 24
"""The estimate grows faster than the square of the length: to seconds for 72 characters that are
chosen for it. What the first 24 are worth, the whole is worth at least."""
_ADVICE = "Add another word or two. Uncommon words are better."


def weakness(password: str, email: str) -> str | None:
    """Why the user of `email` may not have `password`, and what to do; None if they may."""
    found: Any = zxcvbn(password[:SCORED_CHARACTERS], user_inputs=list(_known_of(email)))
    if found["score"] >= MIN_SCORE:
        return None
    return f"This password is easy to guess. {_reason(found)}"


def _known_of(email: str) -> Iterator[str]:
    """What an attacker tries first for this user."""
    yield "muster"
    yield email
    yield from email.split("@")
    yield from re.findall(r"[^\W_]{3,}", email)


def _reason(found: Any) -> str:
    personal = any(part.get("dictionary_name") == "user_inputs" for part in found["sequence"])
    said = found["feedback"]
    warning = "It has parts of the email address or of this service's name." if personal else ""
    parts = [warning or said["warning"], *(said["suggestions"] or [_ADVICE])]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)
