"""The channel "email": one message about an upload or several, handed to a mailer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from muster.contracts.uploads import Upload
from muster.observability.spans import span
from notification.channels import Send
from notification.channels.email.mailer import Mailer, open_mailer
from notification.channels.email.message import compose, message_id_of
from notification.settings import Settings


@dataclass(frozen=True)
class EmailChannel:
    """Emails from `sender`; the commands in them call the gateway at `public_url`."""

    mailer: Mailer
    sender: str
    public_url: str

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The mailer of `settings.smtp_url`. Raises ConfigurationError."""
        return cls(open_mailer(settings.smtp_url), settings.mail_from, settings.public_url)

    def send(self, uploads: Sequence[Upload]) -> None:
        """Return once the email is taken for delivery; raises DeliveryError.

        A repeat has the same `Message-ID`.
        """
        with self.session() as send:
            send(uploads)

    @contextmanager
    def session(self) -> Iterator[Send]:
        """`send`, for several emails in a row; raises DeliveryError, maybe only at its end."""
        with self.mailer.session() as hand_over:

            def send(uploads: Sequence[Upload]) -> None:
                email = compose(uploads, sender=self.sender, public_url=self.public_url)
                with span("send email", "client", {"muster.upload_id": uploads[0].id}):
                    hand_over(email)

            yield send

    def withdraw(self, upload: Upload) -> None:
        """Remove the email about the upload, if it is kept here; raises MailError."""
        self.mailer.withdraw(message_id_of(upload, self.sender))

    def check(self) -> None:
        """Return if mail can be handed over now; raises MailError."""
        self.mailer.check()
