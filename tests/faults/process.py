"""Faults in a real process of the suite: it dies of SIGKILL at a call of one of its ports.

A test has its processes find `site/sitecustomize.py`, by PYTHONPATH, and names a directory in
FAULTS_DIRECTORY. There each process has a folder, by the module that it runs, in which stops are
armed: a file `CALL@NUMBER` ends the process at its call of that name and number since it first saw
the file, and is removed by that. Where there is a file `calls`, the names of all calls go there.

The services know nothing of it. muster.adapters makes every adapter that they have, and that is
where their ports are wrapped: a port call that is added is a place for a fault by itself.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import muster.adapters
from muster.adapters import Adapter
from tests.faults import ports
from tests.faults.ports import ANSWER, Meet

MODULES: Mapping[str, str] = {
    "auth": "auth.app",
    "gateway": "gateway.app",
    "gateway-relay": "gateway.relay",
    "dbuploader-consumer": "dbuploader.consumer",
    "notification-consumer": "notification.consumer",
    "notification-webhooks": "notification.webhooks",
}
"""The processes that may be ended, as the suite names them, and what each runs."""


class Stops:
    """The stops that are armed for this process."""

    def __init__(self, directory: Path) -> None:
        self._armed = directory / "armed"
        self._calls = directory / "calls"
        self._seen: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def meet(self, call: str) -> None:
        """Note the call; die if it is one at which this process is to."""
        with self._lock:
            self._record(call)
            for entry in os.scandir(self._armed):
                name, _, number = entry.name.rpartition("@")
                if name == call and self._count(entry.name, entry.inode()) >= int(number):
                    # Removed before it dies, so that the process that is started next goes on.
                    Path(entry.path).unlink(missing_ok=True)
                    os.kill(os.getpid(), signal.SIGKILL)

    def _count(self, name: str, inode: int) -> int:
        before, count = self._seen.get(name, (inode, 0))
        self._seen[name] = inode, count + 1 if before == inode else 1
        return self._seen[name][1]

    def _record(self, call: str) -> None:
        try:
            file = os.open(self._calls, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return
        os.write(file, f"{os.getpid()}\t{call}\n".encode())
        os.close(file)


def _broker(broker: Any, meet: Meet) -> Any:
    if type(broker).__module__.startswith("muster.broker.rabbitmq"):
        _meet_moves(meet)
    return ports.met_broker(broker, meet)


def _meet_moves(meet: Meet) -> None:
    """A message that is to wait is published by the adapter itself, then acknowledged."""
    from muster.broker.rabbitmq import Publisher

    publish = Publisher.publish

    def met(self: Any, *messages: Any) -> None:
        publish(self, *messages)
        meet("publisher.publish" + ANSWER)

    Publisher.publish = met  # type: ignore[method-assign]


def _dialect(dialect: Any, meet: Meet) -> Any:
    """The adapter is but the dialect: what is wrapped is the Database that is made of it next."""
    import muster.database

    database = muster.database.Database

    def make(*values: Any) -> Any:
        muster.database.Database = database  # type: ignore[misc]
        return ports.met_database(database(*values), meet)

    muster.database.Database = make  # type: ignore[assignment, misc]
    return dialect


_WRAPPERS: Mapping[str, Callable[[Any, Meet], Any]] = {
    "broker": _broker,
    "database": _dialect,
    "CSV store": ports.met_uploads,
    "file store": ports.met_files,
    "mail": ports.met_mailer,
}


def install() -> None:
    """Put the faults in, for the processes that may be ended.

    Which one this is shows only when it opens its adapters: it may be the fork server as yet, which
    imports what calls muster.adapters before it forks any of them.
    """
    directory = os.environ.get("FAULTS_DIRECTORY")
    if not directory:
        return
    load_adapter = muster.adapters.load_adapter

    def load(port: str, url: str, adapters: Mapping[str, Adapter]) -> Any:
        make = load_adapter(port, url, adapters)
        stops = _stops_of(Path(directory), tuple(sys.orig_argv))
        if stops is None:
            return make
        wrap = _WRAPPERS[port]
        return lambda *values, **options: wrap(make(*values, **options), stops.meet)

    muster.adapters.load_adapter = load


@cache
def _stops_of(directory: Path, command: tuple[str, ...]) -> Stops | None:
    process = _process_of(command)
    return None if process is None else Stops(directory / process)


def _process_of(command: Sequence[str]) -> str | None:
    """The name of the process that runs this command, if it is `python -m` one of them."""
    _, runs, arguments = " ".join(command).partition(" -m ")
    module, *others = arguments.split() if runs else [""]
    if module == "embedded.server":
        module = others[-1].partition(":")[0]
    return next((name for name, ran in MODULES.items() if ran == module), None)
