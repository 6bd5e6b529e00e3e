"""Which servers are used: what a server says about itself, and what it must prove.

Each connection reads the server's version and cluster, from variables that every account may read.
Whether a member is part of its group just now is not asked: one that was stopped comes back.

The first connection of a process has the server prove what Muster rests on. Some that speak MySQL's
protocol take a statement and do not do what it says: behind Vitess a read-only transaction may
write, and its reads are of several moments. No proof writes anything that lasts.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from mysql.connector import errors
from sqlalchemy import ClauseElement, String, Table, insert, select
from sqlalchemy.dialects.mysql import dialect

from muster.backends.servers import too_old
from muster.database import DatabaseRefused
from muster.database.mysql.connection import MysqlConnection
from muster.database.mysql.session import READ_COMMITTED, READ_ONLY, unheeded

_GALERA = ("wsrep_on", "wsrep_provider")
_GROUP = (
    "group_replication_group_name",
    "group_replication_single_primary_mode",
    "group_replication_consistency",
    "group_replication_transaction_size_limit",
)
# A load is one transaction, and one that the group does not take would be tried for ever.
_LEAST_TRANSACTION = 1024**3
NAMES = ("version", "read_only", "gtid_mode", *_GALERA, *_GROUP)
"""The variables that the functions here take. A server does not know those of the others."""


@dataclass(frozen=True)
class Cluster:
    """What the server is a member of.

    `wait` is the statement after which each transaction of a session first waits until all is there
    that was committed before it on any member.
    """

    name: str
    has_several_writers: bool
    wait: str


def cluster_of(variables: Mapping[str, str]) -> Cluster | None:
    """The cluster of a server with these variables, or None for a server by itself."""
    if variables.get("wsrep_on") == "ON" and variables.get("wsrep_provider", "none") != "none":
        # Reads (1), UPDATE and DELETE (2), INSERT (4): a transaction that begins with a write would
        # else find no row to change, or no parent, where one is committed on another member.
        # https://mariadb.com/docs/galera-cluster/reference/galera-cluster-system-variables
        return Cluster("Galera cluster", True, "SET SESSION wsrep_sync_wait = 7")
    if variables.get("group_replication_group_name"):
        # https://dev.mysql.com/doc/refman/8.4/en/group-replication-consistency-guarantees.html
        return Cluster(
            "MySQL replication group",
            variables.get("group_replication_single_primary_mode") != "ON",
            "SET SESSION group_replication_consistency = 'BEFORE'",
        )
    return None


def name_of(variables: Mapping[str, str], where: object) -> str:
    """What errors call the server at `where`."""
    return f"{_product_of(variables)} at {where}"


def admit(variables: Mapping[str, str], where: object, allow_multi_primary: bool) -> Sequence[str]:
    """The statements that a session on the server at `where` must begin with.

    Raises DatabaseRefused for a server that is too old, or whose group takes no long transactions,
    and for a member of a cluster with several writers unless that is allowed.
    """
    complaint = too_old(_product_of(variables), variables["version"], where, "database")
    if complaint is not None:
        raise DatabaseRefused(complaint)
    cluster = cluster_of(variables)
    if cluster is None:
        return ()
    limit = int(variables.get("group_replication_transaction_size_limit", 0))
    if 0 < limit < _LEAST_TRANSACTION:
        raise DatabaseRefused(
            f"{name_of(variables, where)} has group_replication_transaction_size_limit={limit} and "
            f"Muster needs 0 or at least {_LEAST_TRANSACTION}: a load is one transaction."
        )
    if not cluster.has_several_writers:
        return _of_one_writer(variables)
    if not allow_multi_primary:
        raise DatabaseRefused(
            f"{name_of(variables, where)} is a member of a {cluster.name} with several writers, "
            "where a read on one member may miss what was just committed on another: name a server "
            "with one writer in the database URL, or set MUSTER_ALLOW_MULTI_PRIMARY=true, with "
            "which each transaction waits for what was committed before it."
        )
    return (cluster.wait,)


def refuse_vitess(version: str, where: object) -> None:
    """Raise DatabaseRefused if that is what `version`, which a server greets with, says."""
    if "-vitess" in version.lower():
        raise DatabaseRefused(
            f"The server at {where} is Vitess ({version}), which takes statements and does not do "
            "what they say: its read-only transactions write, and their reads are of several "
            "moments. Name a server of MySQL or MariaDB itself in the database URL."
        )


def require_gtids(variables: Mapping[str, str], where: object) -> None:
    """Raise DatabaseRefused if the server does not number its transactions as MySQL does."""
    if variables.get("gtid_mode") != "ON":
        raise DatabaseRefused(
            f"{name_of(variables, where)} needs gtid_mode=ON, by which MySQL's replicas are known "
            "to have what was committed: set it, or leave MUSTER_EMPLOYMENT_READ_URL out."
        )


def takes_writes(variables: Mapping[str, str]) -> bool:
    """Whether the server does at the moment, as every account is told."""
    return variables.get("read_only", "OFF") == "OFF"


def _of_one_writer(variables: Mapping[str, str]) -> Sequence[str]:
    if variables.get("group_replication_consistency") != "EVENTUAL":
        return ()
    # A new primary would answer before it has what the last one had committed.
    return ("SET SESSION group_replication_consistency = 'BEFORE_ON_PRIMARY_FAILOVER'",)


def _product_of(variables: Mapping[str, str]) -> str:
    return "MariaDB" if "mariadb" in variables["version"].lower() else "MySQL"


_IN_READ_ONLY_TRANSACTION = 1792
_TOO_LONG = 1406
# A server that takes no writes now may be read from, and proves the rest another time.
_TAKES_NO_WRITES = {1047, 1290, 1836, 3796, 3989}
# Read-only transactions refuse it, whatever the account may do.
_CHANGE = "CREATE TEMPORARY TABLE muster_trial (id INTEGER PRIMARY KEY)"


def prove_session(variables: Mapping[str, str], lock_seconds: int, server: str) -> None:
    """Raise DatabaseRefused if a session does not have what it has set."""
    if names := unheeded(variables, lock_seconds):
        raise _refusal(server, f"has taken and not kept what a session sets: {', '.join(names)}")


def prove_reads(connection: MysqlConnection, server: str) -> None:
    """Raise DatabaseRefused if a read-only transaction is not."""
    with _rolled_back(connection):
        _run(connection, READ_ONLY)
        error = _error_of(connection, _CHANGE)
    if error is None or error.errno not in {_IN_READ_ONLY_TRANSACTION, *_TAKES_NO_WRITES}:
        raise _refusal(server, f"does not heed {READ_ONLY}")


def prove_writes(
    connection: MysqlConnection, other: MysqlConnection, table: Table, server: str
) -> bool:
    """Whether a write could be tried, on a row of `table` that is rolled back.

    Raises DatabaseRefused if a value is cut to fit, if the `other` connection sees or locks what is
    written and not committed, or if it outlasts the ROLLBACK. The table's key is one text, and its
    other columns are numbers.
    """
    (key,) = table.primary_key
    numbers = [each for each in table.columns if not each.nullable and each is not key]
    value, too_long = uuid.uuid4().hex, "x" * ((cast(String, key.type).length or 0) + 1)
    row = dict.fromkeys([each.name for each in numbers], 0)
    find = select(key).where(key == value)
    with _rolled_back(connection), _rolled_back(other):
        _run(connection, READ_COMMITTED)
        cut = _error_of(connection, insert(table).values({**row, key.name: too_long}))
        if _error_of(connection, insert(table).values({**row, key.name: value})) is not None:
            return False
        if cut is None or cut.errno != _TOO_LONG:
            raise _refusal(server, "cuts what is too long for its column")
        _run(other, READ_ONLY)
        if _run(other, find):
            raise _refusal(server, "shows what is not committed")
        other.rollback()
        _run(other, READ_COMMITTED)
        if _error_of(other, find.with_for_update(nowait=True)) is None:
            raise _refusal(server, "lets two transactions lock the same row")
    _prove_rollback(connection, find, server)
    return True


def _prove_rollback(connection: MysqlConnection, find: ClauseElement, server: str) -> None:
    with _rolled_back(connection):
        if _run(connection, find):
            raise _refusal(server, "keeps what was rolled back")


@contextmanager
def _rolled_back(connection: MysqlConnection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.rollback()


def _run(connection: MysqlConnection, statement: str | ClauseElement) -> list[Any]:
    if not isinstance(statement, str):
        values = {"literal_binds": True}
        statement = str(statement.compile(dialect=dialect(), compile_kwargs=values))
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.with_rows else []
    finally:
        cursor.close()


def _error_of(connection: MysqlConnection, statement: str | ClauseElement) -> errors.Error | None:
    """The server's error, if any; the client's, as of a lost connection, is raised."""
    try:
        _run(connection, statement)
    except errors.Error as error:
        if error.errno is None or 2000 <= error.errno < 3000:
            raise
        return error
    return None


def _refusal(server: str, what: str) -> DatabaseRefused:
    return DatabaseRefused(
        f"{server} {what}, on which rows and answers rest: name a server of MySQL or MariaDB "
        "itself in the database URL, not what stands before several."
    )
