"""One set of servers for a whole test run, though its tests run in several processes.

Whichever of them needs a server first has it started by a keeper, which outlives that process:
`python -m tests.servers.shared KIND DIRECTORY PID` ends when PID, the run's main process, does.
"""

import fcntl
import os
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

_KINDS: Mapping[str, tuple[str, str, str]] = {
    "mysql": ("tests.servers.mariadb", "MariaServer", "require_mariadb"),
    "mongodb": ("tests.servers.mongodb", "MongoServer", "require_mongodb"),
    "s3": ("tests.servers.s3", "S3Server", "require_s3"),
    "amqp": ("tests.servers.rabbitmq", "RabbitServer", "require_rabbitmq"),
}
_POLL_SECONDS = 0.1
# Of processes that look for others all the while that the tests run.
_WATCH_SECONDS = 1.0


def server_url(kind: str, run_directory: Path) -> str:
    """An administrator's URL of the server that MUSTER_TEST_KIND_URL names, or else of the run's.

    The run's server is started if it does not run yet. `run_directory` is common to the processes
    of the run. Skips or fails the test where there is no such server to start.
    """
    return os.environ.get(f"MUSTER_TEST_{kind.upper()}_URL") or _shared_url(kind, run_directory)


def _shared_url(kind: str, run_directory: Path) -> str:
    module, _, requirement = _KINDS[kind]
    getattr(import_module(module), requirement)()
    directory = run_directory / kind
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _published(directory).exists():
            _start_keeper(kind, directory)
    return _published(directory).read_text()


def _published(directory: Path) -> Path:
    return directory / "url"


def _start_keeper(kind: str, directory: Path) -> None:
    argv = [sys.executable, "-m", __name__, kind, str(directory), str(_main_process())]
    keeper = os.posix_spawn(sys.executable, argv, os.environ, setsid=True)
    while not _published(directory).exists():
        ended, _ = os.waitpid(keeper, os.WNOHANG)
        assert not ended, f"{kind} did not start: see above, and {directory}"
        time.sleep(_POLL_SECONDS)


def _main_process() -> int:
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def keep(kind: str, directory: Path, main_process: int) -> None:
    """Run the server until `main_process` is gone."""
    module, name, _ = _KINDS[kind]
    with getattr(import_module(module), name)(directory / "server") as server:
        # By renaming, so that nobody reads half of it.
        url = directory / "url.new"
        url.write_text(server.url())
        url.rename(_published(directory))
        while Path(f"/proc/{main_process}").exists():
            time.sleep(_WATCH_SECONDS)


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
