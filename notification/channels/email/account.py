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
from notification.channels.email.content import Tone, time_of
from notification.channels.email.mailer import Mailer, open_mailer
from notification.settings import Settings

PAGES: dict[LinkKind, str] = {"password-reset": "new-password", "invitation": "invitation"}
"""The page of the gateway that each link leads to."""
_SUBJECTS: dict[LinkKind, str] = {
    "password-reset": "Set a new password for Muster",
    "invitation": "You are invited to Muster",
}


@dataclass(frozen=True)
class AccountContent:
    """One email with a link: what it is for, what the link does, and what else to know.

    `because` ends the sentence that says why it was sent.
    """

    subject: str
    sentence: str
    about: str
    action: str
    link: str
    notes: list[str]
    because: str
    tone: Tone = "neutral"


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
    write_body(message, "account", content=_content_of(email, public_url))
    return message


def _content_of(email: LinkEmail, public_url: str) -> AccountContent:
    # After the #, where no server logs it and no Referer names it.
    link = f"{public_url}/{PAGES[email.kind]}#{email.token}"
    until = time_of(datetime.fromisoformat(email.expires_at))
    once = f"The link works once, until {until}. Do not pass it on: nobody else needs it."
    if email.kind == "invitation":
        return AccountContent(
            subject=_SUBJECTS[email.kind],
            sentence=f"{email.invited_by} invites you to Muster.",
            about=f"Muster checks and loads spreadsheets and CSV files, at {public_url}",
            action="Choose your password",
            link=link,
            notes=[f"You then sign in with {email.to}.", once],
            because=f"{email.invited_by} invited {email.to}",
        )
    return AccountContent(
        subject=_SUBJECTS[email.kind],
        sentence="Set a new password for Muster.",
        about=f"For {email.to}, asked for on {time_of(datetime.fromisoformat(email.requested_at))}",
        action="Set a new password",
        link=link,
        notes=[
            "A new password ends all your sessions and access keys.",
            "If you did not ask for it, do nothing: your password stays as it is.",
            once,
        ],
        because=f"somebody, probably you, asked for a new password for {email.to}",
    )
