"""Where the emails of a suite end up: a maildir on one machine, Mailpit in Docker Compose."""

import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import requests

from embedded.adapters import BackendSettings
from muster.adapters import path_of
from muster.http.direct import direct_session

Mailbox = Callable[[], list[EmailMessage]]
"""Gives all the emails that are there."""

_PARSER = BytesParser(policy=policy.default)
_TIMEOUT = 60.0
_LATEST = 100


def maildir_of(home: Path) -> Path | None:
    """Where a suite on `home` puts its emails; None if this environment has a mail server."""
    url = BackendSettings(home=home).smtp_url
    return path_of(url) if url.startswith("maildir:") else None


def emails(maildir: Path) -> list[EmailMessage]:
    """All emails in a maildir, read or not."""
    return [
        _PARSER.parsebytes(file.read_bytes())
        for part in ("new", "cur")
        for file in sorted((maildir / part).glob("*"))
    ]


def emails_in_mailpit(url: str, limit: int = _LATEST) -> list[EmailMessage]:
    """The latest emails that the Mailpit at `url` has caught, `limit` at most.

    By https://mailpit.axllent.org/docs/api-v1.
    """
    # The machine's proxy, if it names one, is not for calls to itself.
    with direct_session() as session:

        def get(path: str, **params: Any) -> requests.Response:
            answer = session.get(f"{url}/api/v1/{path}", params=params, timeout=_TIMEOUT)
            answer.raise_for_status()
            return answer

        caught = get("messages", limit=limit).json()["messages"]
        return [_PARSER.parsebytes(get(f"message/{each['ID']}/raw").content) for each in caught]


def wait_for_email(mailbox: Mailbox, upload_id: str, seconds: float = 120) -> EmailMessage | None:
    """The email about an upload; None when it does not come in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for email in mailbox():
            if upload_id in str(email["Message-ID"]):
                return email
        time.sleep(0.1)
    return None


def text_of(email: EmailMessage) -> str:
    """The plain text of an email."""
    body = email.get_body(preferencelist=("plain",))
    return "" if body is None else str(body.get_content())
