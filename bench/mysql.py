"""MySQL of the current LTS line, from Debian unstable, in a root of its own: as root on Debian."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.unstable import find_root, root_with
from tests.servers.mariadb import MariaServer

_NAME = "bench-mysql"
# Kept on the disk, and as large as a server of its own would have it.
_START = """
cd /srv
test -d data || mysqld --no-defaults --user=root --initialize-insecure --datadir=/srv/data
cat >/srv/administrator.sql <<'.'
CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
.
exec mysqld --no-defaults --user=root --datadir=/srv/data --socket=/srv/socket \
	--init-file=/srv/administrator.sql --bind-address=127.0.0.1 --port={port} --mysqlx=OFF \
	--secure-file-priv= --skip-name-resolve --local-infile=ON --innodb-buffer-pool-size=2G \
	--innodb-redo-log-capacity=2G
"""


class MysqlServer(MariaServer):
    """MySQL on a port of its own, on new data."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._root = root_with(_NAME, "mysql-server-core")

    def start(self) -> None:
        """Run it, on data made at the first start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._root.run("rm -rf /srv/*", "clear")
        super(MariaServer, self).start()

    def argv(self) -> Sequence[str]:
        """The server's command."""
        return self._root.argv(_START.format(port=self.port))

    def environment(self) -> Mapping[str, str]:
        """Where temporary files go, in the root."""
        return {"TMPDIR": "/srv"}

    def kill(self) -> None:
        """End it, and free the disk."""
        super().kill()
        self._root.run("rm -rf /srv/*", "clear")


def is_installed() -> bool:
    """Whether it starts at once, without an installation."""
    return find_root(_NAME) is not None
