"""The suite on private servers of the machine, with settings that keep what was committed.

The database's driver is imported here, before a suite runs and what that needs: later it may not
load, as `dbuploader.consumer` says.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import mysql.connector  # noqa: F401

from bench.mail_sink import MailSink
from bench.mysql import MysqlServer
from bench.rabbitmq import NewestRabbitServer
from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.families import Family, embedded_family, private_servers, servers_beside
from tests.servers.rabbitmq import RabbitServer

ADMIN = "admin@example.com"
# Beside flushing at each commit: as large as a server of its own would have them. The binary log
# is off, as MariaDB has it by default.
_MARIADB = ("--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G")


def durable_servers(directory: Path) -> AbstractContextManager[Family]:
    """RabbitMQ, MariaDB, a MongoDB-compatible server and SMTP, with empty databases."""
    return private_servers(directory, *_MARIADB)


def durable_servers_with_mysql(directory: Path) -> AbstractContextManager[Family]:
    """The same with MySQL in the place of MariaDB, and the newest RabbitMQ.

    MySQL's binary log is on, as it is by default.
    """
    return servers_beside(directory, MysqlServer(directory / "mysql"), NewestRabbitServer())


@contextmanager
def mysql_and_files(directory: Path) -> Iterator[Family]:
    """MySQL, RabbitMQ and SMTP; the CSV store is a directory."""
    with durable_servers_with_mysql(directory) as family:
        environment = {**family.environment}
        del environment["MUSTER_CSV_STORE_URL"]
        yield replace(family, environment=environment)


@contextmanager
def mail_thrown_away(family: Family) -> Iterator[Family]:
    """The same, but for its mail: a server takes it that keeps nothing, and costs little."""
    with MailSink(family.home.with_name("mail-sink")) as sink:
        yield replace(family, environment={**family.environment, "MUSTER_SMTP_URL": sink.url()})


@contextmanager
def no_servers(directory: Path) -> Iterator[Family]:
    """The embedded default: all is in files."""
    directory.mkdir(parents=True, exist_ok=True)
    yield embedded_family(directory)


@contextmanager
def running_suite(family: Family) -> Iterator[tuple[SuiteProcess, Client]]:
    """The suite in new processes on the family's servers, and its administrator, logged in."""
    environment = {**family.environment, "MUSTER_ADMIN_EMAIL": ADMIN}
    with (
        SuiteProcess(family.home, environment) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as client,
    ):
        yield suite, client


def describe_servers(family: Family) -> str:
    """Which servers they are, as a sentence."""
    rabbitmq = family.servers["RabbitMQ"]
    version = (
        f" {rabbitmq.control('version').strip()}" if isinstance(rabbitmq, RabbitServer) else ""
    )
    database = "MySQL" if isinstance(family.servers["MariaDB"], MysqlServer) else "MariaDB"
    servers = f"RabbitMQ{version} (quorum queues, confirms), {database}"
    if "MUSTER_CSV_STORE_URL" not in family.environment:
        return f"Private servers on the same machine: {servers}, SMTP, and files."
    return (
        f"Private servers on the same machine: {servers}, SecantusDB in the place of MongoDB "
        "(write concern majority, journalled), SMTP. `retryWrites=false`, for at each such write "
        "SecantusDB, which is written in Python, goes through all it has seen in the last half "
        "hour."
    )
