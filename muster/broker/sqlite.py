"""The embedded broker: `sqlite:///path`, one durable file that the processes share.

Beside it are, for each queue, a lock file held by the active consumer and a FIFO to wake it.
"""

import fcntl
import json
import os
import select
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from muster.adapters import path_of
from muster.backends.sqlite_file import SqliteFile
from muster.broker import (
    BINDINGS,
    DELIVERY_LIMIT,
    Ack,
    BrokerUnavailable,
    DeadLetter,
    DeadMessage,
    Delivery,
    Publication,
    QueueDepth,
    Retry,
    Unroutable,
    Verdict,
)
from muster.broker.ticker import TICK_SECONDS, Ticker
from muster.contracts.strict_json import Unreadable, read_json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    body BLOB NOT NULL,
    headers TEXT NOT NULL,
    visible_at REAL NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_queue ON messages (queue, id);
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    body BLOB NOT NULL,
    headers TEXT NOT NULL,
    reason TEXT NOT NULL,
    died_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letters_queue ON dead_letters (queue, id);
"""
_HEADERS = TypeAdapter(dict[str, str])
_PUBLISH_SECONDS = 10.0
# A consumer that waited longer for a locked file would miss a tick; it tries again anyway.
_CONSUMER_SECONDS = 0.3
log = structlog.get_logger(__name__)
_STANDBY_SECONDS = 0.2


class SqliteBroker:
    """A broker without a server."""

    def __init__(self, url: str) -> None:
        self._path = path_of(url)
        self._messages = QueueFile(self._path, _PUBLISH_SECONDS)

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is durably queued; raises BrokerUnavailable or Unroutable."""
        self.publish_each([Publication(routing_key, body, headers)])

    def publish_each(self, publications: Sequence[Publication]) -> None:
        """Return once the messages are durably queued; raises BrokerUnavailable or Unroutable."""
        for key in {publication.routing_key for publication in publications} - {*BINDINGS}:
            raise Unroutable(f"no queue is bound to {key!r}")
        self._messages.append(publications)
        for queue in {BINDINGS[publication.routing_key] for publication in publications}:
            ring(self._doorbell(queue))

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Hand over the messages of `queue` one at a time, oldest first, until `stop` is set."""
        with closing(QueueFile(self._path, _CONSUMER_SECONDS)) as messages:
            consumer = SqliteConsumer(queue, messages, handle, stop, tick)
            consumer.run(self._beside(queue, "lock"), self._doorbell(queue))

    def depth(self, queue: str) -> QueueDepth:
        """How many messages `queue` holds. Raises BrokerUnavailable."""
        return self._messages.depth(queue)

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`; they stay."""
        return self._messages.dead_letters(queue, limit)

    def replay_dead_letters(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end; returns how many they were."""
        replayed = self._messages.replay(queue)
        ring(self._doorbell(queue))
        return replayed

    def check(self) -> None:
        """Return if the file can be written; raises BrokerUnavailable."""
        self._messages.check()

    def close(self) -> None:
        """Give up the connections."""
        self._messages.close()

    def _doorbell(self, queue: str) -> Path:
        return self._beside(queue, "fifo")

    def _beside(self, queue: str, kind: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{queue}.{kind}")


@dataclass(frozen=True)
class Taken:
    """A message in its handler's hands: its place in the queue, and what the handler sees."""

    id: int
    delivery: Delivery


class QueueFile:
    """Every queue of one broker; safe to share between threads. Raises BrokerUnavailable."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._file = SqliteFile(path, _SCHEMA, BrokerUnavailable, busy_seconds)

    def append(self, publications: Sequence[Publication]) -> None:
        """Queue messages, durably."""
        with self._file.writing() as connection:
            connection.executemany(
                "INSERT INTO messages (queue, routing_key, body, headers) VALUES (?, ?, ?, ?)",
                [
                    (BINDINGS[routing_key], routing_key, body, json.dumps(dict(headers)))
                    for routing_key, body, headers in publications
                ],
            )

    def take(self, queue: str) -> Taken | None:
        """The message at the head of those that are due, counted as delivered; None if none is.

        One that was delivered too often goes to the dead letters instead. To be called by the
        queue's active consumer only.
        """
        while (message := self._head(queue)) is not None:
            # A delivery that a power cut undoes was not the message's fault.
            with self._file.writing(durable=False) as connection:
                if message["deliveries"] < DELIVERY_LIMIT:
                    connection.execute(
                        "UPDATE messages SET deliveries = deliveries + 1 WHERE id = ?",
                        [message["id"]],
                    )
                    return _taken(message)
                _bury(connection, message["id"], f"delivered {DELIVERY_LIMIT} times, no answer")
        return None

    def settle(self, taken: Taken, verdict: Verdict) -> None:
        """Do with the message what its handler said."""
        # Where a power cut undoes it, the message is delivered again, as after any other end.
        with self._file.writing(durable=False) as connection:
            match verdict:
                case Ack():
                    connection.execute("DELETE FROM messages WHERE id = ?", [taken.id])
                case DeadLetter(reason):
                    _bury(connection, taken.id, reason)
                case Retry(after) if after > 0:
                    connection.execute(
                        "UPDATE messages SET visible_at = ?, attempts = attempts + deliveries, "
                        "deliveries = 0 WHERE id = ?",
                        [time.time() + after, taken.id],
                    )
                case Retry():
                    connection.execute(
                        "UPDATE messages SET deliveries = deliveries - 1 WHERE id = ?", [taken.id]
                    )

    def seconds_until_due(self, queue: str, at_most: float) -> float:
        """How long until a message of `queue` that is there now may be taken."""
        with self._file.connection() as connection:
            due: float | None = connection.execute(
                "SELECT min(visible_at) FROM messages WHERE queue = ?", [queue]
            ).fetchone()[0]
        return at_most if due is None else min(at_most, max(0.0, due - time.time()))

    def depth(self, queue: str) -> QueueDepth:
        """How many messages and dead letters `queue` has."""
        with self._file.connection() as connection:
            waiting, dead = connection.execute(
                "SELECT (SELECT count(*) FROM messages WHERE queue = :queue), "
                "(SELECT count(*) FROM dead_letters WHERE queue = :queue)",
                {"queue": queue},
            ).fetchone()
        return QueueDepth(waiting, dead)

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`."""
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT routing_key, CAST(body AS BLOB), CAST(headers AS BLOB), reason, died_at "
                "FROM dead_letters WHERE queue = ? ORDER BY id LIMIT ?",
                [queue, limit],
            ).fetchall()
        return [
            DeadMessage(
                Delivery(routing_key, body, _headers_in(headers)),
                reason,
                datetime.fromtimestamp(died_at, UTC),
            )
            for routing_key, body, headers, reason, died_at in rows
        ]

    def replay(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end, the oldest first; returns how many."""
        with self._file.writing() as connection:
            replayed = connection.execute(
                "INSERT INTO messages (queue, routing_key, body, headers) "
                "SELECT queue, routing_key, body, headers FROM dead_letters "
                "WHERE queue = ? ORDER BY id",
                [queue],
            ).rowcount
            connection.execute("DELETE FROM dead_letters WHERE queue = ?", [queue])
        return replayed

    def check(self) -> None:
        """Return if the file can be written."""
        with self._file.writing():
            pass

    def close(self) -> None:
        """Give up the connections."""
        self._file.close()

    def _head(self, queue: str) -> sqlite3.Row | None:
        with self._file.connection() as connection:
            # As bytes: text that is not UTF-8 ends the whole query.
            cursor = connection.execute(
                "SELECT id, routing_key, CAST(body AS BLOB) AS body, "
                "CAST(headers AS BLOB) AS headers, deliveries, attempts FROM messages "
                "WHERE queue = ? AND visible_at <= ? ORDER BY id LIMIT 1",
                [queue, time.time()],
            )
            cursor.row_factory = sqlite3.Row
            row: sqlite3.Row | None = cursor.fetchone()
        return row


def _bury(connection: sqlite3.Connection, message_id: int, reason: str) -> None:
    connection.execute(
        "INSERT INTO dead_letters (queue, routing_key, body, headers, reason, died_at) "
        "SELECT queue, routing_key, body, headers, ?, ? FROM messages WHERE id = ?",
        [reason, time.time(), message_id],
    )
    connection.execute("DELETE FROM messages WHERE id = ?", [message_id])


def _taken(message: sqlite3.Row) -> Taken:
    delivery = Delivery(
        routing_key=message["routing_key"],
        body=message["body"],
        headers=_headers_in(message["headers"]),
        attempt=message["attempts"] + message["deliveries"] + 1,
    )
    return Taken(message["id"], delivery)


def _headers_in(text: bytes) -> dict[str, str]:
    """The headers; none where they can't be read, for the message does not depend on them."""
    try:
        return read_json(_HEADERS, text)
    except Unreadable:
        return {}


class SqliteConsumer:
    """One call of `Broker.consume`: see there for what it promises."""

    def __init__(
        self,
        queue: str,
        messages: QueueFile,
        handle: Callable[[Delivery], Verdict],
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._messages = messages
        self._handle = handle
        self._stop = stop
        self._ticker = Ticker(tick)

    def run(self, lock: Path, doorbell: Path) -> None:
        """Consume until `stop` is set: while this process holds `lock`, else stand by."""
        with ThreadPoolExecutor(1, thread_name_prefix=self._queue) as executor:
            while not self._stop.is_set():
                self._ticker.tick_if_due()
                try:
                    with _exclusive(lock) as active:
                        if active:
                            self._work(executor, doorbell)
                except BrokerUnavailable as error:
                    log.warning("broker unavailable", queue=self._queue, error=str(error))
                self._stop.wait(_STANDBY_SECONDS)

    def _work(self, executor: Executor, doorbell: Path) -> None:
        log.info("consuming", queue=self._queue)
        first = True
        with closing(Doorbell(doorbell)) as bell:
            while not self._stop.is_set():
                self._ticker.tick_if_due()
                taken = self._messages.take(self._queue)
                if taken is None:
                    bell.wait(self._messages.seconds_until_due(self._queue, TICK_SECONDS))
                else:
                    handling = executor.submit(self._handle, replace(taken.delivery, first=first))
                    first = False
                    self._settle(taken, self._ticker.await_result(handling))

    def _settle(self, taken: Taken, verdict: Verdict) -> None:
        while True:
            try:
                self._messages.settle(taken, verdict)
                return
            except BrokerUnavailable as error:
                # Unsettled it would only be delivered again: worth waiting for, but not for ever.
                if self._stop.is_set():
                    raise
                log.warning("verdict not stored", queue=self._queue, error=str(error))
            self._ticker.tick_if_due()
            self._stop.wait(_STANDBY_SECONDS)


@contextmanager
def _exclusive(path: Path) -> Iterator[bool]:
    """Whether this consumer is the active one. The kernel ends it with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise BrokerUnavailable(str(error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class Doorbell:
    """Wakes a consumer that waits for its queue, in whichever process it is, by a FIFO.

    This is the consumer's end, open from its making until `close`.
    """

    def __init__(self, path: Path) -> None:
        try:
            with suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            # Open for writing too, or it would be at its end whenever no publisher has it open.
            self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            raise BrokerUnavailable(str(error)) from error

    def wait(self, seconds: float) -> None:
        """Return when it rings, or rang since the last call, or after `seconds`."""
        if select.select([self._descriptor], [], [], seconds)[0]:
            os.read(self._descriptor, 65536)

    def close(self) -> None:
        """Stop listening."""
        os.close(self._descriptor)


def ring(path: Path) -> None:
    """Wake the consumer at `path`, if there is one; never blocks."""
    # It only hastens: with nobody listening, or a full FIFO, there is nothing to do.
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, b"!")
        finally:
            os.close(descriptor)
