"""Faults in a real process of the suite: it dies of SIGKILL at a call of one of its ports.

A test has its processes find `site/sitecustomize.py`, by PYTHONPATH, and names a directory in
FAULTS_DIRECTORY. There each process has a folder, by the module that it runs, in which stops are
armed: a file `CALL@NUMBER` ends the process at its call of that name and number since it first saw
the file, and is removed by that. Where there is a file `calls`, the names of all calls go there.

The services know nothing of it. muster.adapters makes every adapter that they have, and that is
where the faults are put in: a port call that is added is a place for them by itself.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import muster.adapters
from muster.adapters import Adapter

ANSWER = " answered"
"""The end of a call's name that stands for its answer."""
MODULES: Mapping[str, str] = {
    "gateway": "gateway.app",
    "gateway-relay": "gateway.relay",
    "dbuploader-consumer": "dbuploader.consumer",
    "notification-consumer": "notification.consumer",
}
"""The processes that may be ended, as the suite names them, and what each runs."""

Meet = Callable[[str], None]


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


class _Port:
    """Stands before a port: each call is met before it takes place, and after."""

    def __init__(self, name: str, port: Any, meet: Meet) -> None:
        self._name, self._port, self._meet = name, port, meet

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._port, name)
        if name.startswith("_") or not callable(target):
            return target
        call = f"{self._name}.{name}"

        def met(*arguments: Any, **options: Any) -> Any:
            self._meet(call)
            result = target(*arguments, **options)
            self._meet(call + ANSWER)
            return result

        return met


class _Files(_Port):
    @contextmanager
    def write(self, name: str) -> Iterator[Any]:
        self._meet("files.write")
        with self._port.write(name) as file:
            yield file
            self._meet("files.write finished")
        self._meet("files.write" + ANSWER)


class _Broker(_Port):
    def consume(self, queue: str, handle: Any, *, stop: Any, tick: Callable[[], None]) -> None:
        answered = threading.Event()

        def met_handle(delivery: Any) -> Any:
            self._meet("broker.delivery")
            verdict = handle(delivery)
            self._meet("broker.verdict")
            answered.set()
            return verdict

        def met_tick() -> None:
            if answered.is_set():
                answered.clear()
                self._meet("broker.settled")
            tick()

        self._port.consume(queue, met_handle, stop=stop, tick=met_tick)


def _broker(port: Any, meet: Meet) -> Any:
    if type(port).__module__.startswith("muster.broker.rabbitmq"):
        _meet_moves(meet)
    return _Broker("broker", port, meet)


def _meet_moves(meet: Meet) -> None:
    """A message that is to wait is published by the adapter itself, then acknowledged."""
    from muster.broker.rabbitmq import Publisher

    publish = Publisher.publish

    def met(self: Any, message: Any) -> None:
        publish(self, message)
        meet("publisher.publish" + ANSWER)

    Publisher.publish = met  # type: ignore[method-assign]


def _dialect(dialect: Any, meet: Meet) -> Any:
    """The database's calls are those of its engine: transactions, statements, COMMIT."""
    from sqlalchemy import event

    create_engine = dialect.create_engine

    def create(*arguments: Any) -> Any:
        engine = create_engine(*arguments)
        event.listen(engine, "begin", lambda _connection: meet("database.begin"))
        event.listen(engine, "before_cursor_execute", lambda *_event: meet("database.statement"))
        event.listen(engine, "commit", before_commit)
        event.listen(engine, "checkin", after_commit)
        return engine

    def before_commit(connection: Any) -> None:
        meet("database.commit")
        connection.info["committing"] = True

    def after_commit(_connection: Any, entry: Any) -> None:
        if entry.info.pop("committing", False):
            meet("database.commit" + ANSWER)

    dialect.create_engine = create
    return dialect


_WRAPPERS: Mapping[str, Callable[[Any, Meet], Any]] = {
    "broker": _broker,
    "database": _dialect,
    "CSV store": lambda port, meet: _Port("uploads", port, meet),
    "file store": lambda port, meet: _Files("files", port, meet),
    "mail": lambda port, meet: _Port("mail", port, meet),
}


def install() -> None:
    """Put the faults in, if this is one of the processes that may be ended."""
    directory = os.environ.get("FAULTS_DIRECTORY")
    process = _process_of(sys.orig_argv)
    if not directory or process is None:
        return
    stops = Stops(Path(directory, process))
    load_adapter = muster.adapters.load_adapter

    def load(port: str, url: str, adapters: Mapping[str, Adapter]) -> Any:
        make = load_adapter(port, url, adapters)
        wrap = _WRAPPERS[port]
        return lambda *values, **options: wrap(make(*values, **options), stops.meet)

    muster.adapters.load_adapter = load


def _process_of(command: list[str]) -> str | None:
    """The name of the process that runs this command, if it is `python -m` one of them."""
    _, runs, arguments = " ".join(command).partition(" -m ")
    module, *others = arguments.split() if runs else [""]
    if module == "gunicorn":
        module = others[-1].partition(":")[0]
    return next((name for name, ran in MODULES.items() if ran == module), None)
