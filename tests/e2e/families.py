"""The two families of backends that the end-to-end tests run on, unchanged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from embedded.demo.mailbox import emails
from embedded.suite_process import SuiteProcess
from tests.servers.mariadb import MariaServer, new_database, require_mariadb
from tests.servers.mongodb import MongoServer, new_store, require_mongodb
from tests.servers.process import ServerProcess, free_port
from tests.servers.rabbitmq import RabbitServer, own_names, require_rabbitmq
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

    def run(self, more: Mapping[str, str] | None = None) -> SuiteProcess:
        """Start the suite, on a port that is still free when it is started again.

        `more` are further variables.
        """
        port = {"MUSTER_PORT": str(free_port())}
        return SuiteProcess(self.home, {**port, **self.environment, **(more or {})})

    def emails(self) -> list[EmailMessage]:
        """The emails that arrived."""
        return emails(self.maildir)


def embedded_family(directory: Path) -> Family:
    """No server: everything is a file below `directory`."""
    home = directory / "home"
    return Family(home, {}, home / "mail")


@contextmanager
def shared_servers(directory: Path, run_directory: Path) -> Iterator[Family]:
    """Databases and queues of the test's own on the servers of the whole run, and a mail server."""
    amqp, mysql, mongodb = (
        server_url(kind, run_directory) for kind in ("amqp", "mysql", "mongodb")
    )
    with MailServer(directory / "smtp") as mail, _used(amqp, mysql, mongodb, mail) as environment:
        yield Family(directory / "home", environment, mail.maildir)


@contextmanager
def private_servers(directory: Path, *mariadb_options: str) -> Iterator[Family]:
    """Servers of one's own, with more options for mariadbd if they are given."""
    for require in (require_mariadb, require_rabbitmq):
        require()
    durable = ("--innodb-flush-log-at-trx-commit=1", *mariadb_options)
    database = MariaServer(directory / "mariadb", *durable)
    with servers_beside(directory, database, RabbitServer(directory / "rabbitmq")) as family:
        yield family


@contextmanager
def servers_beside(
    directory: Path, database: MariaServer, rabbitmq: RabbitServer
) -> Iterator[Family]:
    """A database's server and a broker that do not run yet, with all others a suite needs."""
    require_mongodb()
    mongodb = MongoServer(directory / "mongodb")
    mail = MailServer(directory / "smtp")
    with (
        rabbitmq,
        database,
        mongodb,
        mail,
        _used(rabbitmq.url(), database.url(), mongodb.url(), mail) as environment,
    ):
        servers = {"RabbitMQ": rabbitmq, "MariaDB": database, "MongoDB": mongodb, "SMTP": mail}
        yield Family(directory / "home", environment, mail.maildir, servers)


@contextmanager
def _used(amqp: str, mysql: str, mongodb: str, mail: MailServer) -> Iterator[dict[str, str]]:
    """The variables of a suite that has each server's part to itself."""
    with (
        own_names(amqp) as broker,
        new_store(mongodb) as store,
        new_database(mysql) as auth,
        new_database(mysql) as employment,
    ):
        yield {
            "MUSTER_BROKER_URL": broker,
            "MUSTER_CSV_STORE_URL": store,
            "MUSTER_AUTH_DATABASE_URL": auth,
            "MUSTER_EMPLOYMENT_DATABASE_URL": employment,
            "MUSTER_SMTP_URL": mail.url(),
        }
