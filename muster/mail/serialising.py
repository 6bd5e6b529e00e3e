"""The bytes of a message."""

from email.errors import MessageError
from email.message import EmailMessage
from typing import Any

from muster.mail import MailError


def serialise(message: EmailMessage, **policy: Any) -> bytes:
    """The message under its own policy, changed by `policy`; raises a permanent MailError."""
    try:
        return message.as_bytes(policy=message.policy.clone(**policy))
    except (MessageError, ValueError) as error:
        raise MailError(f"the message can't be written: {error}", permanent=True) from error
