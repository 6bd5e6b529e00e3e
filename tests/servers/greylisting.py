"""What tests.servers.smtp does with a mail: `python -m aiosmtpd --class` loads it."""

from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

PUT_OFF = "grey"


class Greylisting(Mailbox):
    """Delivers into a maildir, mail to an address that begins with PUT_OFF at the second try."""

    def __init__(self, mail_dir: str) -> None:
        super().__init__(Path(mail_dir))
        self._tried: set[str] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The reply to the mail's text (RFC 5321; 451 as RFC 6647 has it)."""
        name = self.prepare_message(session, envelope)["Message-ID"]
        if envelope.rcpt_tos[0].startswith(PUT_OFF) and name not in self._tried:
            self._tried.add(name)
            return "451 4.7.1 try again later"
        return await super().handle_DATA(server, session, envelope)
