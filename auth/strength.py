"""Whether a new password is easy to guess: as zxcvbn estimates it (https://doi.org/10.5555/3241094).

There are no rules of composition: they make people write `Password1!`, which guessers try first.
"""

import re
from collections.abc import Iterator
from typing import Any

from zxcvbn import zxcvbn

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
    """What whoever guesses tries first for this user."""
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
