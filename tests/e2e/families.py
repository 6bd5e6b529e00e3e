"""The two families of backends that the end-to-end tests run on, unchanged."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from embedded.demo.mailbox import emails
from embedded.running import RunningSuite
from tests.servers.mongodb import MongoServer, require_mongodb
from tests.servers.process import ServerProcess
from tests.servers.smtp import MailServer


@dataclass(frozen=True)
class Family:
    """Where a suite keeps what it is given: the variables that say so, and where mail arrives.

    `servers` are those that are the family's alone, by name: they may be killed.
    """

    home: Path
    environment: Mapping[str, str]
    maildir: Path
    servers: Mapping[str, ServerProcess] = field(default_factory=dict)

    def run(self) -> RunningSuite:
        """Start the suite."""
        return RunningSuite(self.home, self.environment)

    def emails(self) -> list[EmailMessage]:
        """The emails that arrived."""
        return emails(self.maildir)


def embedded_family(directory: Path) -> Family:
    """No server: everything is a file below `directory`."""
    home = directory / "home"
    return Family(home, {}, home / "mail")


@contextmanager
def private_servers(directory: Path) -> Iterator[Family]:
    """Servers of the test's own."""
    require_mongodb()
    mongodb, mail = MongoServer(directory / "mongodb"), MailServer(directory / "smtp")
    servers: dict[str, ServerProcess] = {"MongoDB": mongodb, "SMTP": mail}
    with ExitStack() as running:
        for server in servers.values():
            running.enter_context(server)
        environment = {
            "MUSTER_CSV_STORE_URL": mongodb.url("muster"),
            "MUSTER_SMTP_URL": mail.url(),
        }
        yield Family(directory / "home", environment, mail.maildir, servers)
