"""A private mail server: aiosmtpd, which delivers all that it takes into a maildir.

It puts off the first try of a mail to an address that begins with `grey`, as greylisting does.
"""

import smtplib
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import ServerProcess, free_port


class SmtpServer(ServerProcess):
    """A server that takes mail on a port of its own, the same after each start."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._port = free_port()

    def url(self) -> str:
        """Where mail is handed over."""
        return f"smtp://127.0.0.1:{self._port}"

    def answers(self) -> bool:
        """Whether it greets."""
        try:
            smtplib.SMTP("127.0.0.1", self._port, timeout=10).close()
        except (OSError, smtplib.SMTPException):
            return False
        return True


class MailServer(SmtpServer):
    """aiosmtpd."""

    @property
    def maildir(self) -> Path:
        """Where mail lies, durably, before its sender hears that it was taken."""
        return self.directory / "mail"

    def argv(self) -> Sequence[str]:
        """The server's command."""
        handler = ("--class", "tests.servers.greylisting.Greylisting", str(self.maildir))
        listen = ("--listen", f"127.0.0.1:{self._port}", "--smtputf8", "--nosetuid")
        return [sys.executable, "-m", "aiosmtpd", *listen, *handler]
