"""The services' accounts at private servers, made by the scripts of `deploy/`, and a second set."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pika import BlockingConnection, URLParameters
from pika.exceptions import ProbableAuthenticationError
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from muster.database import DatabaseUnavailable, open_database
from tests.e2e.conftest import ROOT
from tests.e2e.rolling import Variables
from tests.servers.mariadb import MariaServer, administration, run
from tests.servers.mongodb import MongoServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.smtp import MailServer

AT_RABBITMQ = ("auth", "dbuploader", "gateway", "notification")
AT_MONGODB = ("dbuploader", "gateway", "notification")
# Of each database, who uses it beside its migrations, which are the first one's.
AT_MARIADB = {
    "auth": ("auth",),
    "employment": ("dbuploader", "queries"),
    "notification": ("notification",),
}
_STORE = "muster"
_ROOT, _ROOT_PASSWORD = "root", "of-the-administrator"
_SECURE = {"MUSTER_EMAIL_SECRET": "the same for both of its processes"}


@dataclass(frozen=True)
class Credentials:
    """What the accounts of a set have in common: their password, and what names end with."""

    password: str
    suffix: str


@contextmanager
def guarded_mongodb(directory: Path) -> Iterator[MongoServer]:
    """One that has whoever connects log in, with its administrator alone."""
    with (
        MongoServer(directory, "--sync-on-commit") as server,
        MongoClient[dict[str, object]](server.url()) as client,
    ):
        client.admin.command("createUser", _ROOT, pwd=_ROOT_PASSWORD, roles=["root"])
    with MongoServer(directory, "--auth") as server:
        yield server


class Accounts:
    """The accounts at one server of each kind."""

    def __init__(
        self, rabbitmq: RabbitServer, mariadb: MariaServer, mongodb: MongoServer, mail: MailServer
    ) -> None:
        self._rabbitmq, self._mariadb, self._mongodb = rabbitmq, mariadb, mongodb
        self._mail = mail

    def variables(self, credentials: Credentials) -> Variables:
        """What processes are given that use these accounts."""
        return lambda name: self._variables(name, credentials)

    def _variables(self, name: str, credentials: Credentials) -> Mapping[str, str]:
        service = "auth" if name == "ensure-admin" else name.partition("-")[0]
        user = f"{service}_migrations" if name.endswith("-migrations") else service
        databases = {
            f"MUSTER_{database.upper()}_DATABASE_URL": self._mariadb.url(
                database, f"{user}:{credentials.password}"
            )
            for database, services in AT_MARIADB.items()
            if service in services
        }
        used = {**databases, "MUSTER_SMTP_URL": self._mail.url(), **_SECURE}
        login = f"{service}{credentials.suffix}:{credentials.password}"
        if service in AT_RABBITMQ:
            used["MUSTER_BROKER_URL"] = self._rabbitmq.url(user=login)
        if service in AT_MONGODB:
            used["MUSTER_CSV_STORE_URL"] = self._mongodb.url(_STORE, login, retryWrites="false")
        return used

    def make_at_rabbitmq(self, credentials: Credentials) -> None:
        """By `deploy/rabbitmq/accounts.sh`."""
        passwords = _passwords("RABBITMQ_", AT_RABBITMQ, credentials)
        suffix = {"MUSTER_ACCOUNT_SUFFIX": credentials.suffix}
        definitions = self._rabbitmq.directory / "definitions.json"
        definitions.write_text(_script("rabbitmq", {**passwords, **suffix}))
        self._rabbitmq.control("import_definitions", str(definitions))

    def remove_at_rabbitmq(self, credentials: Credentials) -> None:
        """Which ends their connections."""
        for name in AT_RABBITMQ:
            self._rabbitmq.control("delete_user", f"{name}{credentials.suffix}")

    def make_at_mongodb(self, credentials: Credentials) -> None:
        """As `deploy/mongo/accounts.js` does, but with the roles that SecantusDB knows."""
        with self._store() as client:
            for name in AT_MONGODB:
                client[_STORE].command(
                    "createUser",
                    f"{name}{credentials.suffix}",
                    pwd=credentials.password,
                    roles=[{"role": "readWrite", "db": _STORE}],
                )

    def remove_at_mongodb(self, credentials: Credentials) -> None:
        """SecantusDB and MongoDB leave their connections open, without rights."""
        with self._store() as client:
            for name in AT_MONGODB:
                client[_STORE].command("dropUser", f"{name}{credentials.suffix}")

    @contextmanager
    def _store(self) -> Iterator[MongoClient[dict[str, object]]]:
        url = self._mongodb.url("admin", f"{_ROOT}:{_ROOT_PASSWORD}")
        with MongoClient[dict[str, object]](url) as client:
            yield client

    def make_at_mariadb(self, credentials: Credentials) -> None:
        """By `deploy/mysql/accounts.sh`: each account has this password alone from then on."""
        for database, services in AT_MARIADB.items():
            names = [*services, f"{services[0]}_migrations"]
            server = {"MYSQL_HOST": "127.0.0.1", "MYSQL_TCP_PORT": str(self._mariadb.port)}
            passwords = _passwords("", names, credentials)
            _script("mysql", {**server, "MYSQL_DATABASE": database, **passwords})

    def allow_both_at_mariadb(self, former: Credentials, later: Credentials) -> None:
        """As docs/rotation.md says."""
        by = "mysql_native_password USING PASSWORD"
        with closing(administration(self._mariadb.url())) as administrator:
            for services in AT_MARIADB.values():
                for name in services:
                    run(
                        administrator,
                        f"ALTER USER '{name}'@'%' IDENTIFIED VIA {by}('{later.password}') "
                        f"OR {by}('{former.password}')",
                    )


def _passwords(
    prefix: str, names: tuple[str, ...] | list[str], credentials: Credentials
) -> Mapping[str, str]:
    return {f"MUSTER_{prefix}{name.upper()}_PASSWORD": credentials.password for name in names}


def _script(server: str, variables: Mapping[str, str]) -> str:
    """What the script for this server prints."""
    script: Path = ROOT / "deploy" / server / "accounts.sh"
    shell = "bash" if server == "mysql" else "sh"
    return subprocess.run(
        [shell, str(script)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def lets_in(url: str) -> bool:
    """Whether the server takes the account and the password in its URL."""
    try:
        if url.startswith("amqp:"):
            BlockingConnection(URLParameters(url)).close()
        elif url.startswith("mongodb:"):
            with MongoClient[dict[str, object]](url) as client:
                client.get_default_database().command("listCollections")
        else:
            with closing(open_database(url)) as database:
                database.check()
    except (ProbableAuthenticationError, OperationFailure, DatabaseUnavailable):
        return False
    return True
