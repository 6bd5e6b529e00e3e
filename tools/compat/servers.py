"""The other servers: MySQL, RabbitMQ, and FerretDB on PostgreSQL with DocumentDB, in one root."""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.compat import commands
from tools.compat.commands import CommandFailed
from tools.compat.root import Root

FERRETDB = "2.7.0"
_FERRETDB_MODULE = f"github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v{FERRETDB}"
_START_SECONDS = 120.0
_POLL_SECONDS = 0.2

# Nobody kills these servers, so what they write need not reach a disk.
_IN_MEMORY = """
mount -t tmpfs tmpfs /srv
cd /srv
"""

_MYSQL = """
mysqld --no-defaults --user=root --initialize-insecure --datadir=/srv/mysql
cat >/srv/administrator.sql <<'.'
CREATE USER root@'%';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
.
exec mysqld --no-defaults --user=root --datadir=/srv/mysql --socket=/srv/mysql.sock \\
	--init-file=/srv/administrator.sql --bind-address=127.0.0.1 --port={port} --mysqlx=OFF \\
	--secure-file-priv= --skip-name-resolve --local-infile=ON
"""

# A name server of its own, so that it is known to no other node of the machine.
_RABBITMQ = """
echo 'listeners.tcp.1 = 127.0.0.1:{port}' >rabbitmq.conf
echo '[].' >plugins
export HOME=$PWD ERL_EPMD_PORT={epmd} ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT={distribution}
export RABBITMQ_NODENAME=compat{port}@localhost RABBITMQ_CONFIG_FILE=$PWD/rabbitmq.conf
export RABBITMQ_MNESIA_BASE=$PWD/data RABBITMQ_LOG_BASE=$PWD/logs RABBITMQ_PID_FILE=$PWD/pid
export RABBITMQ_ENABLED_PLUGINS_FILE=$PWD/plugins RABBITMQ_CONF_ENV_FILE=$PWD/none
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 2:2 +sbwt none'
exec /usr/lib/rabbitmq/bin/rabbitmq-server
"""

_POSTGRESQL = """
PATH=/usr/lib/postgresql/18/bin:$PATH
chown postgres /srv
postgres() {{ setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }}
postgres initdb --pgdata=data --encoding=UTF8 --auth=trust
cat >>data/postgresql.conf <<'.'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
.
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D data
"""

_DOCUMENTDB = "psql --host=127.0.0.1 --port={port} --username=postgres --command='{statement}'"
_EXTENSION = "CREATE EXTENSION documentdb CASCADE"

_FERRETDB = """
exec /usr/local/bin/ferretdb --postgresql-url=postgres://postgres@127.0.0.1:{postgresql}/postgres \\
	--listen-addr=127.0.0.1:{port} --no-auth --telemetry=disable \\
	--state-dir=/srv --debug-addr=-
"""


@dataclass(frozen=True)
class OtherServers:
    """What runs, and the variables by which the tests are told."""

    titles: Sequence[str]
    variables: Mapping[str, str]


@contextmanager
def other_servers(root: Root, kept: Path) -> Iterator[OtherServers]:
    """Install and run them in `root`, on free ports of 127.0.0.1, until the block ends.

    FerretDB is built, and kept in `kept`, where there is Go; elsewhere there is none. Raises
    CommandFailed if one does not start.
    """
    ferretdb = _build_ferretdb(kept)
    root.install("mysql-server-core", "rabbitmq-server", "postgresql-18-documentdb")
    with ExitStack() as stack:
        mysql, rabbitmq, epmd, distribution, postgresql, mongodb = _free_ports(6)

        def start(name: str, script: str, port: int) -> None:
            process = stack.enter_context(root.running(_IN_MEMORY + script, name))
            if not _answers(process, port):
                said = commands.tail(root.log(name))
                raise CommandFailed(f"{name} does not start\n{said}")

        start("mysql", _MYSQL.format(port=mysql), mysql)
        amqp = _RABBITMQ.format(port=rabbitmq, epmd=epmd, distribution=distribution)
        start("rabbitmq", amqp, rabbitmq)
        titles = [
            f"MySQL {version(root, 'mysql-server-core')}",
            f"RabbitMQ {version(root, 'rabbitmq-server')}",
        ]
        variables = {
            "MUSTER_TEST_MYSQL_URL": f"mysql://root@127.0.0.1:{mysql}/",
            "MUSTER_TEST_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{rabbitmq}/%2F",
        }
        if ferretdb is not None:
            shutil.copy(ferretdb, root.directory / "usr/local/bin/ferretdb")
            start("postgresql", _POSTGRESQL.format(port=postgresql), postgresql)
            root.run(_DOCUMENTDB.format(port=postgresql, statement=_EXTENSION), "documentdb")
            start("ferretdb", _FERRETDB.format(port=mongodb, postgresql=postgresql), mongodb)
            titles.append(
                f"FerretDB {FERRETDB} on PostgreSQL {version(root, 'postgresql-18')} with "
                f"DocumentDB {version(root, 'postgresql-18-documentdb')}"
            )
            variables["MUSTER_TEST_MONGODB_URL"] = f"mongodb://127.0.0.1:{mongodb}/"
        yield OtherServers(titles, variables)


def version(root: Root, package: str) -> str:
    """The version of an installed package, without what Debian adds to it."""
    said = root.ask(f"dpkg-query --show --showformat='${{Version}}' {package}")
    return said.split(":")[-1].split("-")[0].split("+")[0]


def _build_ferretdb(kept: Path) -> Path | None:
    go = shutil.which("go")
    if go is None:
        return None
    directory = kept / f"ferretdb-{FERRETDB}"
    if not (directory / "ferretdb").exists():
        environment = {**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"}
        done = subprocess.run(
            [go, "install", _FERRETDB_MODULE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(f"FerretDB can't be built:\n{done.stderr}")
    return directory / "ferretdb"


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it takes connections before it ends or its time is over."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _free_ports(count: int) -> Sequence[int]:
    """Below those that systems give to clients, who may have one by the time the server starts."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            probe = stack.enter_context(socket.socket())
            port = random.randrange(10_000, 32_768)  # noqa: S311 - no secret
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
        return ports
