"""Which emails each user wants: auth keeps the choice, and is asked before an email.

An answer holds for two seconds: who sends many files at once is asked for once. A choice therefore
counts for every email that is due two seconds after it. While auth does not answer, the
email waits, as while the CSV store doesn't: one that somebody does not want can't be taken back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from cachetools import TTLCache
from pydantic import TypeAdapter

from muster.contracts.emails import EmailChoice
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.uploads import State, UndoCounts, Upload
from notification.accounts.auth_client import AuthClient, AuthUnavailable

_HOLD_SECONDS, _MOST_HELD = 2.0, 1000


class EmailChoices(Protocol):
    """What users have chosen."""

    def of(self, owner: str) -> EmailChoice:
        """Which emails the user of that id wants; raises AuthUnavailable."""


@dataclass(frozen=True)
class _Answer:
    emails: EmailChoice


_ANSWER = TypeAdapter(_Answer)


class AuthChoices:
    """The choices that the auth service keeps."""

    def __init__(self, auth_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._auth = AuthClient(auth_url)
        self._held: TTLCache[str, EmailChoice] = TTLCache(_MOST_HELD, _HOLD_SECONDS, clock)

    def of(self, owner: str) -> EmailChoice:
        """Which emails the user wants: each, where auth is of a version without choices."""
        held = self._held.get(owner)
        if held is None:
            held = self._held[owner] = self._ask(owner)
        return held

    def _ask(self, owner: str) -> EmailChoice:
        answer = self._auth.ask("GET", f"/v1/email-choices/{quote(owner, safe='')}")
        if answer is None:
            return "each"
        try:
            return read_json(_ANSWER, answer).emails
        except Unreadable as error:
            raise AuthUnavailable(f"auth's answer can't be read: {error}") from error


def is_wanted(upload: Upload, choice: EmailChoice) -> bool:
    """Whether somebody with that choice gets an email about the upload, which is final."""
    return choice in {"each", "digest"} or (choice == "problems" and needs_attention(upload))


def needs_attention(upload: Upload) -> bool:
    """Whether the upload failed, or rejected rows, or did not undo some."""
    if upload.state in {State.FAILED, State.CANCELLED}:
        return upload.state is State.FAILED
    if upload.kind == "undo":
        rows = upload.undone or UndoCounts()
        return rows.kept + rows.blocked > 0
    return upload.rows.rejected > 0
