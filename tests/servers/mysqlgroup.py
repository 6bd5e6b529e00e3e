"""A private MySQL replication group in which every member takes writes, where `mysqld` is found."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaServer, administration
from tests.servers.process import free_port


class GroupMember(MariaServer):
    """A member on MySQL; `first` is the one that makes the group, itself for that one."""

    def __init__(self, directory: Path, number: int, first: "GroupMember | None" = None) -> None:
        super().__init__(directory)
        self._number = number
        self._first = first
        self._group: str = first._group if first else str(uuid.uuid4())
        self._group_port = free_port()

    def start(self) -> None:
        """Run it and have it join, or make, the group."""
        super().start()
        statements = ["START GROUP_REPLICATION"]
        if self._first is None:
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

    def argv(self) -> Sequence[str]:
        """The server's command."""
        seeds = self._first.address if self._first else self.address
        return [
            *self._command(),
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--mysqlx=OFF",
            "--innodb-buffer-pool-size=32M",
            "--innodb-redo-log-capacity=16M",
            "--innodb-flush-log-at-trx-commit=2",
            f"--server-id={self._number}",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--log-bin=binlog",
            "--report-host=127.0.0.1",
            "--plugin-load-add=group_replication.so",
            f"--loose-group-replication-group-name={self._group}",
            f"--loose-group-replication-local-address={self.address}",
            f"--loose-group-replication-group-seeds={seeds}",
            "--loose-group-replication-start-on-boot=OFF",
            "--loose-group-replication-single-primary-mode=OFF",
            "--loose-group-replication-enforce-update-everywhere-checks=ON",
            "--loose-group-replication-ip-allowlist=127.0.0.1/32",
            "--loose-group-replication-recovery-get-public-key=ON",
        ]

    @property
    def address(self) -> str:
        """Where other members reach it."""
        return f"127.0.0.1:{self._group_port}"

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
        return ["mysqld", "--no-defaults", "--user=root", f"--datadir={self._data}"]


@contextmanager
def mysql_group(directory: Path, members: int) -> Iterator[Sequence[GroupMember]]:
    """A group of so many members; skips where MySQL is not installed."""
    if not _is_mysql():
        pytest.skip("no mysqld of MySQL here")
    with ExitStack() as stack:
        first = stack.enter_context(GroupMember(directory / "1", 1))
        others = [
            GroupMember(directory / str(number), number, first) for number in range(2, members + 1)
        ]
        yield [first, *(stack.enter_context(member) for member in others)]


def _is_mysql() -> bool:
    if shutil.which("mysqld") is None:
        return False
    version = subprocess.run(["mysqld", "--version"], capture_output=True, text=True).stdout
    return "MariaDB" not in version
