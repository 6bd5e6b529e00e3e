"""Marks on the connections of a process that works alone, by which the next finds and ends them.

A process that is frozen, or whose network swallows what it sends, keeps its row locks for as long
as the server keeps its connections: 8 hours by default. A mark is a named lock of the server's,
with the id of the connection that holds it in the name. The server drops it with the connection, so
an id that was given to another connection since, after a restart say, has none. No privilege is
needed: an account sees its own connections, and may end them.

A proxy that shares the server's connections among its clients has ids of its own. There nothing is
marked, and nothing ended.
"""

from contextlib import closing, suppress
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from mysql.connector import errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from muster.database.mysql.connection import MysqlConnection

# At most 64 letters; MySQL 9 has no SHA1().
_MARK = "CONCAT('muster.alone.', LEFT(SHA2(DATABASE(), 256), 20), '.{id}')"
_TAKE = f"SELECT IF(CONNECTION_ID() = {{id}}, GET_LOCK({_MARK}, 0), 0)"
_HOLDER = f"IS_USED_LOCK({_MARK})"
_NOT_THERE = 1094
_ANOTHER_ACCOUNTS = 1095


class Fence:
    """The marked connections of this process, and the way to end those of others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakKeyDictionary[MysqlConnection, int] = WeakKeyDictionary()
        # By their server: each counts its connections for itself.
        self._given_up: set[tuple[str, int]] = set()

    def admit(self, connection: MysqlConnection) -> None:
        """Mark a new connection, and end those that were given up, if the server has them yet.

        After an answer that never came one would go on holding what the next attempt waits for.
        Raises the driver's Error.
        """
        own = int(connection.connection_id or 0)
        # A server that has no such locks, or not in its cluster, says so, each by another error.
        with suppress(errors.DatabaseError):
            _ask(connection, _TAKE.format(id=own))
        with self._lock:
            self._open[connection] = own
            there = {each for each in self._given_up if each[0] == connection.address}
            self._given_up -= there
        for _, gone in there:
            if _ask(connection, f"SELECT {_HOLDER.format(id=gone)}") == gone:
                with suppress(errors.DatabaseError):
                    _ask(connection, f"KILL CONNECTION {gone}")

    def give_up(self, connection: Any, _record: object) -> None:
        """Note that a connection is about to be closed, which the server may not hear of.

        SQLAlchemy's pool calls it.
        """
        with self._lock:
            gone = self._open.pop(connection, None)
            if gone is not None:
                self._given_up.add((connection.address, gone))

    def end_others(self, connection: Connection) -> int:
        """End the marked connections that other processes have; returns how many."""
        address = address_of(connection)
        with self._lock:
            own = {number for each, number in self._open.items() if each.address == address}
        there = [int(row[0]) for row in connection.exec_driver_sql("SHOW PROCESSLIST")]
        others = [each for each in there if each not in own]
        if not others:
            return 0
        holders = ", ".join(_HOLDER.format(id=other) for other in others)
        found = connection.exec_driver_sql(f"SELECT {holders}").one()
        marked = [other for other, holder in zip(others, found, strict=True) if other == holder]
        return sum(_kill(connection, other) for other in marked)


def address_of(connection: Connection) -> str:
    """Which server it is to."""
    driver: Any = connection.connection.driver_connection
    return str(driver.address)


def _kill(connection: Connection, other: int) -> bool:
    try:
        connection.exec_driver_sql(f"KILL CONNECTION {other}")
    except DBAPIError as error:
        if getattr(error.orig, "errno", None) in {_NOT_THERE, _ANOTHER_ACCOUNTS}:
            return False
        raise
    return True


def _ask(connection: MysqlConnection, statement: str) -> Any:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        row: Any = cursor.fetchone() if cursor.with_rows else None
        return None if row is None else row[0]
