"""What keeps a second migration of a database out, as each DDL statement ends a transaction there.

A server by itself has named locks, which end with their connection. In a cluster each member has
its own: there the lock is a row that all of them see, whose holder renews it, and which is taken
over once it is renewed no more.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Engine,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Update,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.schema import CreateTable

from muster.database import ConstraintViolated, Database, DatabaseUnavailable

LEASE_SECONDS = 15.0
_RENEWALS_PER_LEASE = 5
_POLL_SECONDS = 0.2

# At most 64 letters; MySQL 9 has no SHA1().
_NAME = "CONCAT('muster.', LEFT(SHA2(DATABASE(), 256), 40))"

_LOCK = Table(
    "migration_lock",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(255), nullable=False),
    Column("expires_at", DATETIME(fsp=6), nullable=False),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
)
# Run on two members at once it does no harm: the second finds the table. A CREATE TABLE that fails
# where it comes second makes that member leave its group.
_CREATE = CreateTable(_LOCK, if_not_exists=True)


@contextmanager
def named_lock(engine: Engine, seconds: float) -> Iterator[None]:
    """Hold the server's lock of the database's name; raises DatabaseUnavailable."""
    with engine.connect() as connection:
        get_lock = text(f"SELECT GET_LOCK({_NAME}, :seconds)")
        if connection.scalar(get_lock, {"seconds": seconds}) != 1:
            raise _does_not_end()
        try:
            yield
        finally:
            # The lock ends with its connection.
            connection.invalidate()


class _Row(NamedTuple):
    """The row as it was read: its owner, and the expiry, which every renewal changes."""

    owner: str
    expires_at: datetime


class LockRow:
    """The row, which the lock changes over connections of its own, those of `database`.

    A waiter judges by its own clock whether the row is renewed, not by `expires_at`, which is for
    people: clocks differ, and where a long statement holds up all of a cluster, renewals come late.
    Nor does it harm that what a waiter sees may be old: of two members that change the row at once
    the cluster lets one commit, and rolls the other back (errors 1213 and 3101).
    """

    def __init__(self, database: Database, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._lease = lease_seconds
        self._me = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._is_mine = _LOCK.c.owner == self._me
        self._expiry = func.timestampadd(text("SECOND"), lease_seconds, func.utc_timestamp(6))
        self._ended = threading.Event()
        self._renewing = threading.Lock()
        # Before this nobody can have taken it over.
        self._valid_until = 0.0

    @contextmanager
    def held(self, engine: Engine, seconds: float) -> Iterator[None]:
        """Hold it while statements run on `engine`, each of which makes sure of that first.

        Raises DatabaseUnavailable when a holder that renews it does not end within `seconds`, or
        when it was lost.
        """
        self._acquire(seconds)
        renewer = threading.Thread(target=self._keep_renewing, name="migration-lock", daemon=True)
        renewer.start()
        event.listen(engine, "before_cursor_execute", self._make_sure)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", self._make_sure)
            self._ended.set()
            renewer.join()
            # Where that fails, it is taken over.
            with suppress(DatabaseUnavailable), self._database.write() as connection:
                connection.execute(delete(_LOCK).where(self._is_mine))

    def _acquire(self, seconds: float) -> None:
        started = seen_at = time.monotonic()
        first = seen = self._read()
        while not self._try_to_take(seen, seen_at, give_up_at=started + seconds):
            time.sleep(_POLL_SECONDS)
            row, now = self._read(), time.monotonic()
            if row != seen:
                seen, seen_at = row, now
            # One that does not change may be nobody's any more, and is taken over in time.
            if seen not in (None, first) and now > started + seconds:
                raise _does_not_end()

    def _read(self) -> _Row | None:
        with self._database.read() as connection:
            is_there = inspect(connection).has_table(_LOCK.name)
            query = select(_LOCK.c.owner, _LOCK.c.expires_at)
            row = connection.execute(query).one_or_none() if is_there else None
        if not is_there:
            with self._database.write() as connection:
                connection.execute(_CREATE)
        return None if row is None else _Row(*row)

    def _try_to_take(self, seen: _Row | None, seen_at: float, give_up_at: float) -> bool:
        """Whether it is ours now, where it is as was `seen` since `seen_at`."""
        now = time.monotonic()
        statement: Insert | Update
        if seen is None:
            statement = insert(_LOCK).values(id=1)
        elif seen.owner == self._me or now - seen_at > self._lease:
            # It is ours already where the answer to our COMMIT was lost.
            same = (_LOCK.c.owner == seen.owner) & (_LOCK.c.expires_at == seen.expires_at)
            statement = update(_LOCK).where(same)
        else:
            return False
        try:
            with self._database.write() as connection:
                mine = statement.values(owner=self._me, expires_at=self._expiry)
                is_mine = connection.execute(mine).rowcount == 1
        except ConstraintViolated:
            return False
        except DatabaseUnavailable:
            # Most likely another member was first.
            if now > give_up_at:
                raise
            return False
        self._valid_until = now + self._lease
        return is_mine

    def _make_sure(self, *_event: object) -> None:
        # A process that was stopped for a while, say, goes on when another has taken over.
        if time.monotonic() > self._valid_until:
            self._renew()

    def _keep_renewing(self) -> None:
        while not self._ended.wait(self._lease / _RENEWALS_PER_LEASE):
            with suppress(DatabaseUnavailable):
                self._renew()

    def _renew(self) -> None:
        with self._renewing:
            now = time.monotonic()
            with self._database.write() as connection:
                renewal = update(_LOCK).where(self._is_mine).values(expires_at=self._expiry)
                if connection.execute(renewal).rowcount != 1:
                    raise DatabaseUnavailable("another migration has taken over")
            self._valid_until = now + self._lease


def _does_not_end() -> DatabaseUnavailable:
    return DatabaseUnavailable("another migration of the database does not end")
