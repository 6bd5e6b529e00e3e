"""The emails with one-time links: to set a new password, or to accept an invitation."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Self

from muster.contracts.links import LinkEmail, LinkKind
from muster.observability.spans import span
from muster.observability.tracing import current_trace
from notification.channels.email.body import write_body
from notification.channels.email.mailer import Mailer, open_mailer
from notification.settings import Settings

PAGES: dict[LinkKind, str] = {"password-reset": "new-password", "invitation": "invitation"}
"""The page of the gateway that each link leads to."""
_SUBJECTS: dict[LinkKind, str] = {
    "password-reset": "Set a new password for Muster",
    "invitation": "You are invited to Muster",
}


@dataclass(frozen=True)
class AccountEmailSender:
    """Sends them from `sender`; the links lead to the pages at `public_url`."""

    mailer: Mailer
    sender: str
    public_url: str

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """By the mailer of `settings.smtp_url`. Raises ConfigurationError."""
        return cls(open_mailer(settings.smtp_url), settings.mail_from, settings.public_url)

    def send(self, email_id: str, email: LinkEmail) -> None:
        """Return once the email is taken for delivery; raises DeliveryError."""
        message = compose(email_id, email, sender=self.sender, public_url=self.public_url)
        with span("send email", "client", {"muster.email": email.kind}):
            self.mailer.send(message)


def compose(email_id: str, email: LinkEmail, *, sender: str, public_url: str) -> EmailMessage:
    """The message; of the same id always with the same `Message-ID`.

    Auth takes addresses of plain ASCII only, which can't hold anything but one address.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = email.to
    message["Subject"] = _SUBJECTS[email.kind]
    message["Date"] = datetime.fromisoformat(email.requested_at)
    domain = message["From"].addresses[0].domain
    message["Message-ID"] = f"<account-{email_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps vacation notices away
    for name, value in current_trace().headers().items():
        message[name] = value
    # After the #, where no server logs it and no Referer names it.
    link = f"{public_url}/{PAGES[email.kind]}#{email.token}"
    until = datetime.fromisoformat(email.expires_at).strftime("%Y-%m-%d %H:%M UTC")
    write_body(message, "account", email=email, link=link, until=until, public_url=public_url)
    return message
