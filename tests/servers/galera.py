"""A private Galera cluster of MariaDB, from Debian's packages, of nodes on this machine."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.servers.mariadb import MariaServer, administration, require_mariadb
from tests.servers.process import free_port, require

_PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")


class GaleraNode(MariaServer):
    """A node; the first of a cluster is told of no other.

    Others begin on a copy of the data that the first began on, so that none has to be sent to them,
    which takes programs that do not work for root. They must join before anything is written.
    """

    def __init__(self, directory: Path, first: "GaleraNode | None" = None) -> None:
        super().__init__(directory)
        self._first = first
        self._group_port = free_port()

    @property
    def address(self) -> str:
        """Where other nodes reach it."""
        return f"127.0.0.1:{self._group_port}"

    def start(self) -> None:
        """Join the cluster, and return once it is in step with it."""
        if self._first is not None and not self.directory.exists():
            self.directory.mkdir(parents=True)
            shutil.copytree(self._first.new_data, self._data)
            self._first.write_position(self._data)
        super().start()

    def argv(self) -> Sequence[str]:
        """The server's command."""
        options = {
            "gmcast.listen_addr": f"tcp://{self.address}",
            "gcache.size": "16M",
        }
        return [
            *super().argv(),
            "--wsrep-on=ON",
            f"--wsrep-provider={_PROVIDER}",
            f"--wsrep-cluster-address=gcomm://{self._first.address if self._first else ''}",
            f"--wsrep-node-address={self.address}",
            f"--wsrep-provider-options={';'.join('='.join(pair) for pair in options.items())}",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--innodb-buffer-pool-size=32M",
        ]

    def answers(self) -> bool:
        """Whether it takes statements, as a node does that is in step with its cluster."""
        return super().answers() and self._status("wsrep_local_state_comment") == "Synced"

    @property
    def new_data(self) -> Path:
        """The data that it began on."""
        return self.directory / "new"

    def write_position(self, data: Path) -> None:
        """Have a node that begins on `data` take it for what this one has by now."""
        uuid, number = map(self._status, ("wsrep_cluster_state_uuid", "wsrep_last_committed"))
        state = ("version: 2.1", f"uuid: {uuid}", f"seqno: {number}", "safe_to_bootstrap: 0", "")
        data.joinpath("grastate.dat").write_text("\n".join(state))

    def _install(self) -> None:
        super()._install()
        shutil.copytree(self._data, self.new_data)

    def _status(self, name: str) -> str:
        with (
            closing(administration(self.url(connect_seconds=10))) as database,
            database.read() as connection,
        ):
            return str(connection.exec_driver_sql(f"SHOW STATUS LIKE '{name}'").one()[1])


@contextmanager
def galera_cluster(directory: Path, nodes: int) -> Iterator[Sequence[GaleraNode]]:
    """A cluster of so many nodes; skips or fails where Galera is not installed."""
    require_mariadb()
    require(_PROVIDER.exists(), "Galera (Debian's galera-4)")
    with ExitStack() as stack:
        first = stack.enter_context(GaleraNode(directory / "1"))
        others = [GaleraNode(directory / str(number), first) for number in range(2, nodes + 1)]
        yield [first, *(stack.enter_context(node) for node in others)]
