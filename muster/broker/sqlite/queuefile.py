"""The queues of the embedded broker: tables of one SQLite file."""

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from muster.backends.sqlite_file import SqliteFile
from muster.broker import (
    DELIVERY_LIMIT,
    Ack,
    BrokerUnavailable,
    DeadLetter,
    DeadMessage,
    Delivery,
    QueueDepth,
    Retry,
    Verdict,
)
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


@dataclass(frozen=True)
class Taken:
    """A message in its handler's hands: its place in the queue, and what the handler sees."""

    id: int
    delivery: Delivery


class QueueFile:
    """Every queue of one broker; safe to share between threads. Raises BrokerUnavailable."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._file = SqliteFile(path, _SCHEMA, BrokerUnavailable, busy_seconds)

    def append(self, queue: str, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Queue a message, durably."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO messages (queue, routing_key, body, headers) VALUES (?, ?, ?, ?)",
                [queue, routing_key, body, json.dumps(dict(headers))],
            )

    def take(self, queue: str) -> Taken | None:
        """The message at the head of those that are due, counted as delivered; None if none is.

        One that was delivered too often goes to the dead letters instead. To be called by the
        queue's active consumer only.
        """
        while (message := self._head(queue)) is not None:
            with self._file.writing() as connection:
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
        with self._file.writing() as connection:
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
