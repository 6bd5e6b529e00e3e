"""What a server says of itself when a connection begins: which it is, and of which cluster.

The variables are ones that every account may read. Whether the member is part of its group just now
is not asked: one that was stopped comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muster.backends.servers import too_old
from muster.database import DatabaseRefused

_GALERA = ("wsrep_on", "wsrep_provider")
_GROUP = ("group_replication_group_name", "group_replication_single_primary_mode")
NAMES = ("version", *_GALERA, *_GROUP)
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
    """The statements that a session on the server at `where` has to begin with.

    Raises DatabaseRefused for a server that is too old, and for a member of a cluster with several
    writers unless that is allowed.
    """
    complaint = too_old(_product_of(variables), variables["version"], where, "database")
    if complaint is not None:
        raise DatabaseRefused(complaint)
    cluster = cluster_of(variables)
    if cluster is None or not cluster.has_several_writers:
        return ()
    if not allow_multi_primary:
        raise DatabaseRefused(
            f"{name_of(variables, where)} is a member of a {cluster.name} with several writers, "
            "where a read on one member may miss what was just committed on another: name a server "
            "with one writer in the database URL, or set MUSTER_ALLOW_MULTI_PRIMARY=true, with "
            "which each transaction waits for what was committed before it."
        )
    return (cluster.wait,)


def _product_of(variables: Mapping[str, str]) -> str:
    return "MariaDB" if "mariadb" in variables["version"].lower() else "MySQL"
