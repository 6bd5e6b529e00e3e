"""The two families of backends that the end-to-end tests run on, unchanged."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient

from embedded.demo.mailbox import emails
from embedded.running import RunningSuite
from tests.servers.mariadb import MariaServer, new_database, require_mariadb
from tests.servers.mongodb import MongoServer, require_mongodb
from tests.servers.process import ServerProcess
from tests.servers.shared import server_url
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
def shared_servers(directory: Path, run_directory: Path) -> Iterator[Family]:
    """Databases of the test's own on the servers of the whole run, and a mail server."""
    require_mariadb()
    require_mongodb()
    mysql, mongodb = (server_url(kind, run_directory) for kind in ("mysql", "mongodb"))
    with MailServer(directory / "smtp") as mail, _databases(mysql, mongodb) as urls:
        environment = {**urls, "MUSTER_SMTP_URL": mail.url()}
        yield Family(directory / "home", environment, mail.maildir)


@contextmanager
def private_servers(directory: Path) -> Iterator[Family]:
    """Servers of the test's own."""
    require_mariadb()
    require_mongodb()
    mariadb = MariaServer(directory / "mariadb", "--innodb-flush-log-at-trx-commit=1")
    mongodb, mail = MongoServer(directory / "mongodb"), MailServer(directory / "smtp")
    with mariadb, mongodb, mail, _databases(mariadb.url(), mongodb.url()) as urls:
        environment = {**urls, "MUSTER_SMTP_URL": mail.url()}
        servers = {"MariaDB": mariadb, "MongoDB": mongodb, "SMTP": mail}
        yield Family(directory / "home", environment, mail.maildir, servers)


@contextmanager
def _databases(mysql: str, mongodb: str) -> Iterator[dict[str, str]]:
    store = f"muster_{uuid.uuid4().hex}"
    with new_database(mysql) as auth, new_database(mysql) as employment:
        yield {
            "MUSTER_CSV_STORE_URL": urlunsplit(urlsplit(mongodb)._replace(path=f"/{store}")),
            "MUSTER_AUTH_DATABASE_URL": auth,
            "MUSTER_EMPLOYMENT_DATABASE_URL": employment,
        }
    with MongoClient[dict[str, object]](mongodb) as client:
        client.drop_database(store)
