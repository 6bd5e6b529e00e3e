"""Faults put in at the ports: every call is numbered, and a plan says what is raised at which.

What a loader does over ports like these is a sequence of calls. A fault is put in before a call, or
after it: then the call has taken place, and its answer is lost. Whoever looks for faults by chance
makes plans; whoever looks at each in turn counts the calls of a run without one first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from sqlalchemy import Connection, event

from muster.broker import Broker
from muster.database import Database
from muster.filestore import FileStore
from muster.stores import Stores
from muster.uploadstore import UploadStore

ANSWER = " answered"
"""The end of a call's name that stands for its answer."""

MakeError = Callable[[str], BaseException | None]
"""What to raise at the call of a name; None lets it be."""


class Faults:
    """The calls so far, and the fault that the next ones meet; safe to share between threads."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._plan: dict[int, MakeError] = {}

    def plan(self, number: int, error: MakeError, times: int = 1) -> None:
        """From the call `number` on, counted from 0, meet `error` so many times."""
        with self._lock:
            self.calls.clear()
            self._plan = dict.fromkeys(range(number, number + times), error)

    def clear(self) -> None:
        """Forget the calls and the plan."""
        with self._lock:
            self.calls.clear()
            self._plan = {}

    def meet(self, call: str) -> None:
        """Note the call; raises what is planned for it."""
        with self._lock:
            make = self._plan.pop(len(self.calls), None)
            self.calls.append(call)
        error = None if make is None else make(call)
        if error is not None:
            raise error


class _Port:
    """Stands before a port whose calls return at once."""

    def __init__(self, name: str, port: object, faults: Faults) -> None:
        self._name = name
        self._port = port
        self._faults = faults

    def __getattr__(self, method: str) -> Any:
        target = getattr(self._port, method)
        name = f"{self._name}.{method}"

        def call(*args: Any, **options: Any) -> Any:
            self._faults.meet(name)
            result = target(*args, **options)
            self._faults.meet(name + ANSWER)
            return result

        return call


class _Files(_Port):
    def open(self, name: str) -> BinaryIO:
        self._faults.meet("store.open")
        # To lose the answer would leave it open.
        return cast(FileStore, self._port).open(name)

    @contextmanager
    def write(self, name: str) -> Iterator[Any]:
        self._faults.meet("store.write")
        with cast(FileStore, self._port).write(name) as file:
            yield file
            self._faults.meet("store.write finished")
        self._faults.meet("store.write" + ANSWER)


class _Database:
    def __init__(self, database: Database, faults: Faults) -> None:
        self._database = database
        self._faults = faults
        event.listen(database.engine, "before_cursor_execute", self._on_statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._faults.meet("database.read")
        with self._database.read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._faults.meet("database.write")
        with self._database.write() as connection:
            yield connection
            self._faults.meet("database.commit")
        self._faults.meet("database.commit" + ANSWER)

    def _on_statement(self, *_event: object) -> None:
        # Met within the transaction, so that it is the real port that says what it means.
        self._faults.meet("database.statement")


def faulty_stores(stores: Stores, faults: Faults) -> Stores:
    """The CSV store, whose calls meet `faults`."""
    files, uploads = _Files("store", stores.files, faults), _Port("store", stores.uploads, faults)
    return Stores(cast(FileStore, files), cast(UploadStore, uploads))


def faulty_broker(broker: Broker, faults: Faults) -> Broker:
    """The broker, whose calls meet `faults`."""
    return cast(Broker, _Port("broker", broker, faults))


def faulty_database(database: Database, faults: Faults) -> Database:
    """The database, whose transactions and statements meet `faults`."""
    return cast(Database, _Database(database, faults))
