"""The mail port: hands one message over for delivery, as the scheme of a URL says."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from email.errors import MessageError
from email.message import EmailMessage
from typing import Any, Protocol

from muster.adapters import Adapter, load_adapter
from notification.channels import DeliveryError

_SMTP = Adapter("notification.channels.email.smtp", "SmtpMailer")
ADAPTERS = {
    "maildir": Adapter("notification.channels.email.maildir", "MaildirMailer"),
    "smtp": _SMTP,
    "smtps": _SMTP,
    "smtp+starttls": _SMTP,
}


class MailError(DeliveryError):
    """The message was not taken. `permanent` says that the same message will never be."""


class Mailer(Protocol):
    """Somewhere to send mail."""

    def send(self, message: EmailMessage) -> None:
        """Return once the message is taken for delivery; raises MailError.

        The message has a `Message-ID`; one with that of an earlier message is a repeat of it.
        """

    def session(self) -> AbstractContextManager[Callable[[EmailMessage], None]]:
        """`send`, for several messages in a row; an error may be raised as the block's end only."""

    def withdraw(self, identifier: str) -> None:
        """Remove the message with that `Message-ID`, if it is kept here; raises MailError.

        What was handed over to a server is no longer ours.
        """

    def check(self) -> None:
        """Return if mail can be handed over now; raises MailError."""


def open_mailer(url: str) -> Mailer:
    """The mailer at `url`; connects at first use. Raises ConfigurationError."""
    mailer: Mailer = load_adapter("mail", url, ADAPTERS)(url)
    return mailer


def serialise(message: EmailMessage, **policy: Any) -> bytes:
    """The message under its own policy, changed by `policy`; raises a permanent MailError."""
    try:
        return message.as_bytes(policy=message.policy.clone(**policy))
    except (MessageError, ValueError) as error:
        raise MailError(f"the message can't be written: {error}", permanent=True) from error
