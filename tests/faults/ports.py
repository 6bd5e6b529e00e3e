"""Every call of a port meets a fault: before it takes place, and after, when its answer is lost.

What a process does to the world outside is a sequence of such calls, each known by a name: that of
the port and of the method, and ANSWER after it has taken place. The wrappers here say the name to a
`meet`, and know no more; it may note it, raise, or end the process. There are two: a plan in this
process (tests/faults/plan.py), and stops in a child (tests/faults/process.py).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

# A child loads this before anything else, and must find nothing of the product imported by it.
if TYPE_CHECKING:
    from email.message import EmailMessage

    from sqlalchemy import Connection

    from muster.broker import Broker, Delivery, Verdict
    from muster.database import Database
    from muster.filestore import FileStore, FileWriter
    from muster.uploadstore import UploadStore

ANSWER = " answered"
"""The end of a call's name that stands for its answer."""

Meet = Callable[[str], None]
"""Told the name of a call that is about to take place, or has."""


class _Port:
    """Stands before a port whose calls return at once."""

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
    def open(self, name: str) -> BinaryIO:
        self._meet("files.open")
        file: BinaryIO = self._port.open(name)
        try:
            self._meet("files.open" + ANSWER)
        except BaseException:
            file.close()
            raise
        return file

    @contextmanager
    def write(self, name: str) -> "Iterator[FileWriter]":
        self._meet("files.write")
        with self._port.write(name) as file:
            yield file
            self._meet("files.write finished")
        self._meet("files.write" + ANSWER)


class _Broker(_Port):
    def consume(
        self,
        queue: str,
        handle: "Callable[[Delivery], Verdict]",
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        answered = threading.Event()

        def met_handle(delivery: "Delivery") -> "Verdict":
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


class _Mailer(_Port):
    @contextmanager
    def session(self) -> "Iterator[Callable[[EmailMessage], None]]":
        with self._port.session() as send:

            def met(message: "EmailMessage") -> None:
                self._meet("mail.send")
                send(message)
                self._meet("mail.send" + ANSWER)

            yield met


class _Database(_Port):
    def __init__(self, name: str, database: "Database", meet: Meet) -> None:
        super().__init__(name, database, meet)
        from sqlalchemy import event

        # Met within the transaction, so that it is the real port that says what it means.
        event.listen(database.engine, "before_cursor_execute", self._on_statement)

    def _on_statement(self, *_event: object) -> None:
        self._meet("database.statement")

    @contextmanager
    def read(self) -> "Iterator[Connection]":
        self._meet("database.read")
        with self._port.read() as connection:
            yield connection

    @contextmanager
    def write(self) -> "Iterator[Connection]":
        self._meet("database.write")
        with self._port.write() as connection:
            yield connection
            self._meet("database.commit")
        self._meet("database.commit" + ANSWER)


def met_files(files: "FileStore", meet: Meet) -> "FileStore":
    """The file store, each of whose calls is met; to finish a file is one of its own."""
    return cast("FileStore", _Files("files", files, meet))


def met_uploads(uploads: "UploadStore", meet: Meet) -> "UploadStore":
    """The upload store, each of whose calls is met."""
    return cast("UploadStore", _Port("uploads", uploads, meet))


def met_broker(broker: "Broker", meet: Meet) -> "Broker":
    """The broker, each of whose calls is met, and what becomes of each message of a consumer."""
    return cast("Broker", _Broker("broker", broker, meet))


def met_database(database: "Database", meet: Meet) -> "Database":
    """The database, whose transactions, statements and COMMITs are met."""
    return cast("Database", _Database("database", database, meet))


def met_mailer(mailer: Any, meet: Meet) -> Any:
    """The mailer, each of whose calls is met."""
    return _Mailer("mail", mailer, meet)
