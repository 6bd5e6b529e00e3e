"""A private MySQL replication group, where `mysqld` is found, or where `make bench` has put it."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaServer, administration
from tests.servers.process import free_port

# Debian's, in a root of its own, from which it runs here by that root's loader.
_ROOT = Path(__file__).parents[2] / ".servers/roots/bench-mysql"


@dataclass
class _Group:
    """What its members have in common. `expel_seconds` is how long one may be silent."""

    single_primary: bool
    expel_seconds: int
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    addresses: list[str] = field(default_factory=list)
    is_made: bool = False


class GroupMember(MariaServer):
    """A member on MySQL; the first that starts makes the group."""

    def __init__(self, directory: Path, number: int, program: Sequence[str], group: _Group) -> None:
        super().__init__(directory)
        self._number = number
        self._program = program
        self._group = group
        self._address = f"127.0.0.1:{free_port()}"
        group.addresses.append(self._address)

    def start(self) -> None:
        """Run it and have it join, or make, the group."""
        super().start()
        # With the account by which it fetches what it misses.
        statements = ["START GROUP_REPLICATION USER = 'root'"]
        if not self._group.is_made:
            bootstrap = "SET GLOBAL group_replication_bootstrap_group"
            statements = [f"{bootstrap} = ON", *statements, f"{bootstrap} = OFF"]
        with (
            closing(administration(self.url(answer_seconds=120))) as administrator,
            administrator.engine.connect() as connection,
        ):
            # Else they would wait for the group.
            connection.exec_driver_sql("SET SESSION group_replication_consistency = EVENTUAL")
            for statement in statements:
                connection.exec_driver_sql(statement)
        self._group.is_made = True

    def argv(self) -> Sequence[str]:
        """The server's command."""
        group, flag = self._group, {True: "ON", False: "OFF"}
        everywhere = flag[not group.single_primary]
        return [
            *self._command(),
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--mysqlx=OFF",
            "--local-infile=ON",
            "--secure-file-priv=",
            "--innodb-buffer-pool-size=32M",
            "--innodb-redo-log-capacity=16M",
            "--innodb-flush-log-at-trx-commit=2",
            f"--server-id={self._number}",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--log-bin=binlog",
            "--report-host=127.0.0.1",
            "--plugin-load-add=group_replication.so",
            f"--loose-group-replication-group-name={group.name}",
            f"--loose-group-replication-local-address={self._address}",
            f"--loose-group-replication-group-seeds={','.join(group.addresses)}",
            "--loose-group-replication-start-on-boot=OFF",
            f"--loose-group-replication-single-primary-mode={flag[group.single_primary]}",
            f"--loose-group-replication-enforce-update-everywhere-checks={everywhere}",
            f"--loose-group-replication-member-expel-timeout={group.expel_seconds}",
            "--loose-group-replication-transaction-size-limit=0",
            "--loose-group-replication-ip-allowlist=127.0.0.1/32",
            "--loose-group-replication-recovery-get-public-key=ON",
        ]

    def _install(self) -> None:
        accounts = self.directory / "accounts.sql"
        accounts.write_text(
            "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
        )
        done = subprocess.run(
            [*self._command(), "--initialize-insecure", f"--init-file={accounts}"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _command(self) -> Sequence[str]:
        return [*self._program, "--user=root", f"--datadir={self._data}"]


@contextmanager
def mysql_group(
    directory: Path, members: int, *, single_primary: bool = False, expel_seconds: int = 5
) -> Iterator[Sequence[GroupMember]]:
    """A group of so many members, the first of which is its primary, if it has just one.

    Skips where MySQL is not installed.
    """
    program = _installed() or _of_bench()
    if program is None:
        pytest.skip("no mysqld of MySQL here")
    group = _Group(single_primary, expel_seconds)
    made = [
        GroupMember(directory / str(number), number, program, group)
        for number in range(1, members + 1)
    ]
    with ExitStack() as stack:
        yield [stack.enter_context(member) for member in made]


def _installed() -> Sequence[str] | None:
    if shutil.which("mysqld") is None:
        return None
    version = subprocess.run(["mysqld", "--version"], capture_output=True, text=True).stdout
    return None if "MariaDB" in version else ["mysqld", "--no-defaults"]


def _of_bench() -> Sequence[str] | None:
    found = sorted(_ROOT.glob("usr/lib/*-linux-gnu"))
    loaders = [*_ROOT.glob("lib64/ld-linux-*.so.2"), *_ROOT.glob("lib/ld-linux-*.so.1")]
    if not found or not loaders or not (_ROOT / "usr/sbin/mysqld").exists():
        return None
    return [
        str(loaders[0]),
        "--library-path",
        str(found[0]),
        str(_ROOT / "usr/sbin/mysqld"),
        "--no-defaults",
        f"--basedir={_ROOT / 'usr'}",
        f"--plugin-dir={_ROOT / 'usr/lib/mysql/plugin'}",
    ]
