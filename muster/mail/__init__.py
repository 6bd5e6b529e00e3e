"""The mail port: hands one message over for delivery."""

from email.message import EmailMessage
from typing import Protocol

from muster.adapters import Adapter, load_adapter

_SMTP = Adapter("muster.mail.smtp", "SmtpMailer")
ADAPTERS = {
    "maildir": Adapter("muster.mail.maildir", "MaildirMailer"),
    "smtp": _SMTP,
    "smtps": _SMTP,
    "smtp+starttls": _SMTP,
}


class MailError(Exception):
    """The message was not taken. `permanent` says that the same message will never be."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Mailer(Protocol):
    """Somewhere to send mail."""

    def send(self, message: EmailMessage) -> None:
        """Return once the message is taken for delivery; raises MailError.

        The message has a `Message-ID`; one with that of an earlier message is a repeat of it.
        """

    def check(self) -> None:
        """Return if mail can be handed over now; raises MailError."""


def open_mailer(url: str) -> Mailer:
    """The mailer at `url`; connects at first use. Raises ConfigurationError."""
    mailer: Mailer = load_adapter("mail", url, ADAPTERS)(url)
    return mailer
