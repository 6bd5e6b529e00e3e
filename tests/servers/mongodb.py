"""A private MongoDB-compatible server: SecantusDB, from the Python package index."""

import sys
import sysconfig
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.servers.process import ServerProcess, free_port, require

_PROGRAM = Path(sysconfig.get_path("scripts")) / "secantusd-py"


class MongoServer(ServerProcess):
    """SecantusDB on a port of its own, the same after each start, with `options` of secantusd."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self._port = free_port()
        self._options = options

    def url(self, database: str = "", user: str = "", **options: str) -> str:
        """The URL of a database, with `options` of pymongo."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"mongodb://{user}{'@' if user else ''}127.0.0.1:{self._port}/{database}?{query}"

    def argv(self) -> Sequence[str]:
        """The server's command."""
        arguments = {
            "--config": self._configuration(),
            "--port": str(self._port),
            "--storage-path": str(self.directory / "data"),
            "--cache-size": "128M",
            # Nothing reads the oplog, in which it keeps a second copy of every file.
            "--oplog-max-entries": "100",
            "--log-level": "WARNING",
        }
        words = (word for pair in arguments.items() for word in pair)
        return [str(_PROGRAM), *words, *self._options]

    def answers(self) -> bool:
        """Whether it answers a ping."""
        with MongoClient[dict[str, object]](self.url("admin"), timeoutMS=5000) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
            return True

    def _configuration(self) -> str:
        # Named, so that no file of the user's is looked for.
        path = self.directory / "secantusd.toml"
        path.touch()
        return str(path)


@contextmanager
def new_store(server_url: str) -> Iterator[str]:
    """The URL of a database of its own, which is dropped at the end.

    `server_url` names none. The driver is told not to retry writes: at each write that it may retry
    SecantusDB goes through all such writes of the last half hour.
    """
    name = f"muster_{uuid.uuid4().hex}"
    parts = urlsplit(server_url)
    query = "&".join(filter(None, (parts.query, "retryWrites=false")))
    yield urlunsplit(parts._replace(path=f"/{name}", query=query))
    with MongoClient[dict[str, object]](server_url) as client:
        client.drop_database(name)


def require_mongodb() -> None:
    """Skip or fail where there is no server, as on a Python that it has no wheel for."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    require(_PROGRAM.exists(), f"SecantusDB for Python {python}")
