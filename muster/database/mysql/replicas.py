"""The servers of a replication group, or a MySQL primary with replicas, by their GTIDs.

A position is a set of GTIDs, the numbers of transactions that are the same on every server:
https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table

from muster.database import Database, DatabaseUnavailable
from muster.database.mysql import MysqlDialect
from muster.database.mysql.connection import each_host

# A primary that hangs holds up reads no longer than this.
_ANSWER_SECONDS = 5
# In a group only what reads a table waits until the group agrees that this member is the primary.
_POSITION = (
    "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.read_only "
    "FROM (SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS a_row) AS the_group"
)
_REACHES = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)"
# A transaction is shown before its GTID is executed, and owned until then: owned is read first.
_SHOWN = "SELECT @@GLOBAL.gtid_owned, @@GLOBAL.gtid_executed"


class GtidServer:
    """A server of MySQL to read from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> AbstractContextManager[Connection]:
        """See Server.read."""
        return self._database.read()

    def reaches(self, connection: Connection, position: str, seconds: float) -> bool:
        """See Server.reaches: the function reads no table."""
        return bool(connection.exec_driver_sql(_REACHES, (position, seconds)).scalar_one() == 0)

    def shown(self, connection: Connection) -> str:
        """See Server.shown."""
        owned, executed = connection.exec_driver_sql(_SHOWN).one()
        return set_of(owned, executed)


class GtidPrimary:
    """The server that takes writes; `database` has sessions that wait for its group."""

    def __init__(self, database: Database, witness: Table) -> None:
        self._database = database
        quoted = database.engine.dialect.identifier_preparer.quote(witness.name)
        self._position = _POSITION.format(table=quoted)

    def position(self) -> str:
        """See Primary.position."""
        with self._database.read() as connection:
            executed, is_read_only = connection.exec_driver_sql(self._position).one()
        if is_read_only:
            raise DatabaseUnavailable("the primary is read-only")
        return set_of("", executed)

    def has(self, position: str, seconds: float) -> bool:
        """See Primary.has."""
        with self._database.read() as connection:
            found: Any = connection.exec_driver_sql(_REACHES, (position, seconds)).scalar_one()
        return bool(found == 0)


def set_of(owned: str, executed: str) -> str:
    """The GTIDs of both, as one set; those owned have the number of their thread behind each."""
    return ",".join(filter(None, (re.sub(r"\s|#\d+", "", each) for each in (executed, owned))))


def open_servers(
    url: str, read_url: str, witness: Table, allow_multi_primary: bool
) -> tuple[GtidPrimary, GtidServer, Sequence[GtidServer], Callable[[], None]]:
    """The primary as it is asked and as it is read from, and the replicas; and what closes all."""
    dialect = partial(MysqlDialect, allow_multi_primary=allow_multi_primary, has_gtids=True)
    asked = Database(dialect(url, waits_for_group=True, answer_seconds=_ANSWER_SECONDS))
    read = Database(dialect(url))
    replicas = [Database(dialect(each)) for each in each_host(read_url)]

    def close() -> None:
        for database in (asked, read, *replicas):
            database.close()

    return GtidPrimary(asked, witness), GtidServer(read), list(map(GtidServer, replicas)), close
