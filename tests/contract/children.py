"""Processes that use an adapter until they are killed.

Each writes a line for every step that is over; what it wrote must hold after its death.
"""

import os
import signal
from collections.abc import Callable
from email.message import EmailMessage
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Event
from typing import Self

import psutil

from muster.broker import Ack, Delivery, Verdict, open_broker
from muster.database import open_database
from muster.filestore import open_file_store
from muster.observability.logs import configure_logging
from muster.uploadstore import open_upload_store
from notification.channels.email.mailer import open_mailer
from tests.contract.records import an_upload, content_of

# Forked from a process that has imported all this, which takes longer than what most of them do.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        __name__,
        *("muster.broker.sqlite", "muster.broker.rabbitmq", "muster.filestore.folder"),
        *("muster.filestore.gridfs", "muster.filestore.s3"),
        *("muster.uploadstore.sqlite", "muster.uploadstore.mongodb"),
        *("muster.database.sqlite", "muster.database.mysql"),
        *("notification.channels.email.maildir", "notification.channels.email.smtp"),
    ]
)

MOST_STEPS = 100
"""After these they wait to be killed: who is slow to do so has no more to look through."""


class Child:
    """A process in one of the roles below, killed with SIGKILL when the `with` block ends."""

    def __init__(self, role: str, url: str, *arguments: str) -> None:
        reader, writer = _FORKS.Pipe(duplex=False)
        with reader, writer:
            self._process = _FORKS.Process(target=_play, args=(writer, role, url, *arguments))
            self._process.start()
            self._output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._output.close()

    def lines(self, number: int) -> list[str]:
        """The next `number` lines it writes."""
        read = [self._output.readline().rstrip("\n") for _ in range(number)]
        assert all(read), "the child died early"
        return read

    def freeze(self) -> None:
        """Have it stand still."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self) -> list[str]:
        """Kill it; returns the lines that were not read."""
        self._process.kill()
        return self.rest()

    def rest(self) -> list[str]:
        """Wait for its end; returns the lines that were not read."""
        lines = self._output.read().splitlines()
        self._process.join()
        return lines


def _play(writer: Connection, role: str, url: str, *arguments: str) -> None:
    os.dup2(writer.fileno(), 1)
    writer.close()
    configure_logging("child", "INFO")
    ROLES[role](url, *arguments)


def publish(url: str, prefix: str, limit: str) -> None:
    broker = open_broker(url)
    for number in range(int(limit)):
        broker.publish("upload.accepted", f"{prefix}{number}".encode(), {})
        print(number, flush=True)


def consume(url: str) -> None:
    _consume(url, lambda _delivery: Ack())


def stick(url: str) -> None:
    _consume(url, lambda _delivery: _stay())


def replay(url: str) -> None:
    broker = open_broker(url)
    print("replaying", flush=True)
    broker.replay_dead_letters("dbuploader")


def _consume(url: str, handle: Callable[[Delivery], Verdict]) -> None:
    def note(delivery: Delivery) -> Verdict:
        print(delivery.body.decode(), flush=True)
        return handle(delivery)

    open_broker(url).consume("dbuploader", note, stop=Event(), tick=lambda: None)


def write_files(url: str) -> None:
    files = open_file_store(url)
    for number in range(MOST_STEPS):
        with files.write(f"file-{number}") as file:
            for part in content_of(number):
                file.write(part)
        print(number, flush=True)
    _stay()


def write_half(url: str, name: str) -> None:
    with open_file_store(url).write(name) as file:
        # So much that a part of it is written before more is taken.
        file.write(b"half of it" * 1_000_000)
        print("half", flush=True)
        _stay()


def copy(url: str, megabytes: str) -> None:
    """Writes by how many bytes its memory has grown, after writing a file and after reading it."""
    files = open_file_store(url)
    block = bytes(1024 * 1024)
    with files.write("first") as file:
        file.write(block)
    process = psutil.Process()
    before = peak = process.memory_info().rss
    with files.write("large") as file:
        for _ in range(int(megabytes)):
            file.write(block)
            peak = max(peak, process.memory_info().rss)
    print(peak - before, flush=True)
    with files.open("large") as reader:
        while reader.read(len(block)):
            peak = max(peak, process.memory_info().rss)
    print(peak - before, flush=True)


def accept(url: str, prefix: str, limit: str) -> None:
    store = open_upload_store(url)
    for number in range(int(limit)):
        upload = store.accept(an_upload(id=f"{prefix}{number}"))
        print(upload.sequence, flush=True)


def change(url: str, upload_id: str) -> None:
    store = open_upload_store(url)
    for number in count():
        upload = store.get(upload_id)
        store.update(upload_id, expect={upload.state}, warnings_total=number)
        print(number, flush=True)


def transfer(url: str) -> None:
    database = open_database(url)
    while True:
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE accounts SET money = money - 1 WHERE id = 1")
            connection.exec_driver_sql("UPDATE accounts SET money = money + 1 WHERE id = 2")
        print("transferred", flush=True)


def migrate(url: str, lease_seconds: str) -> None:
    # Here, for it brings the driver along.
    from muster.database.mysql.migration_lock import LockRow

    with LockRow(open_database(url), float(lease_seconds)).held(open_database(url).engine, 0):
        print("held", flush=True)
        _stay()


def send(url: str) -> None:
    mailer = open_mailer(url)
    for number in range(MOST_STEPS):
        message = EmailMessage()
        message["Message-ID"] = f"<{number}@example.com>"
        message["From"] = "muster@example.com"
        message["To"] = "ana@example.com"
        message.set_content("word " * 10_000 + "end")
        mailer.send(message)
        print(f"<{number}@example.com>", flush=True)
    _stay()


def _stay() -> Verdict:
    while True:
        signal.pause()


ROLES: dict[str, Callable[..., None]] = {
    role.__name__: role
    for role in (
        *(publish, consume, stick, replay),
        *(write_files, write_half, copy, accept, change),
        *(transfer, migrate, send),
    )
}
