"""The emails that the suite on one machine has sent, where they lie in a maildir."""

import os
import time
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from muster.adapters import path_of


def maildir_of(home: Path) -> Path | None:
    """Where a suite on `home` puts its emails; None if this environment has a mail server."""
    url = os.environ.get("MUSTER_SMTP_URL")
    if not url:
        return home / "mail"
    return path_of(url) if url.startswith("maildir:") else None


def emails(maildir: Path) -> list[EmailMessage]:
    """All emails in a maildir, read or not."""
    parser = BytesParser(policy=policy.default)
    return [
        parser.parsebytes(file.read_bytes())
        for part in ("new", "cur")
        for file in sorted((maildir / part).glob("*"))
    ]


def wait_for_email(maildir: Path, upload_id: str, seconds: float = 60) -> EmailMessage | None:
    """The email about an upload; None when it does not come in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for email in emails(maildir):
            if upload_id in str(email["Message-ID"]):
                return email
        time.sleep(0.1)
    return None


def text_of(email: EmailMessage) -> str:
    """The plain text of an email."""
    body = email.get_body(preferencelist=("plain",))
    return "" if body is None else str(body.get_content())
