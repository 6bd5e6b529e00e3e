"""What auth tells notification of an email with a one-time link, when that fetches it."""

from dataclasses import dataclass
from typing import Literal

LinkKind = Literal["password-reset", "invitation"]


@dataclass(frozen=True)
class LinkEmail:
    """An email to be sent now. `token` opens the link, and is kept by nobody but the recipient.

    Times are RFC 3339 in UTC; `invited_by` is an email address.
    """

    kind: LinkKind
    to: str
    token: str
    requested_at: str
    expires_at: str
    invited_by: str | None = None
