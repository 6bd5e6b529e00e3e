"""A cluster with several writers: refused, or used by sessions that wait for what is committed."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

import auth.migrations
import dbuploader.migrations
from dbuploader.db import check_schema
from muster.database import DatabaseRefused, DatabaseUnavailable, open_database
from muster.database.mysql.admission import admit
from tests.servers.galera import GaleraNode, galera_cluster
from tests.servers.mariadb import new_database

# One process of the run starts the server, not each.
pytestmark = pytest.mark.xdist_group("mysql-cluster")

MARIADB = {"version": "10.11.19-MariaDB", "wsrep_on": "OFF", "wsrep_provider": "none"}
GALERA = {**MARIADB, "wsrep_on": "ON", "wsrep_provider": "/usr/lib/galera/libgalera_smm.so"}
MYSQL = {"version": "9.7.4"}
PLUGIN = {
    "group_replication_group_name": "",
    "group_replication_single_primary_mode": "ON",
}
GROUP = {**PLUGIN, "group_replication_group_name": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}
MANY = {**MYSQL, **GROUP, "group_replication_single_primary_mode": "OFF"}
XTRADB = {"version": "8.4.4-4.1", "wsrep_on": "ON", "wsrep_provider": "/usr/lib/galera4/it.so"}


@pytest.mark.parametrize(
    "variables",
    [
        MARIADB,
        MYSQL,
        {**MYSQL, **PLUGIN},
        {**MYSQL, **GROUP},
        {**MARIADB, "wsrep_on": "ON"},
        {**GALERA, "wsrep_on": "OFF"},
    ],
    ids=["MariaDB", "MySQL", "plugin", "one primary", "no provider", "Galera off"],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_a_server_with_one_writer_is_used_as_it_is(
    variables: Mapping[str, str], allowed: bool
) -> None:
    assert admit(variables, "host:3306", allowed) == ()


@pytest.mark.parametrize(
    ("variables", "name", "wait"),
    [
        (GALERA, "MariaDB at host:3306 is a member of a Galera cluster", "wsrep_sync_wait = 7"),
        (XTRADB, "MySQL at host:3306 is a member of a Galera cluster", "wsrep_sync_wait = 7"),
        (MANY, "MySQL at host:3306 is a member of a MySQL replication group", "'BEFORE'"),
    ],
    ids=["Galera", "XtraDB cluster", "group"],
)
def test_several_writers_are_refused_with_the_reason_and_used_where_that_is_allowed(
    variables: Mapping[str, str], name: str, wait: str
) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        admit(variables, "host:3306", False)
    assert str(caught.value) == (
        f"{name} with several writers, where a read on one member may miss what was just committed "
        "on another: name a server with one writer in the database URL, or set "
        "MUSTER_ALLOW_MULTI_PRIMARY=true, with which each transaction waits for what was committed "
        "before it."
    )
    (statement,) = admit(variables, "host:3306", True)
    assert wait in statement


def test_one_that_is_too_old_is_refused_even_where_several_writers_are_allowed() -> None:
    with pytest.raises(DatabaseRefused, match=r"needs 10\.11 or newer"):
        admit({**GALERA, "version": "10.6.22-MariaDB"}, "host:3306", True)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GaleraNode]:
    """A cluster of one node."""
    with galera_cluster(tmp_path_factory.mktemp("galera"), nodes=1) as (node,):
        yield node


@pytest.fixture
def url(node: GaleraNode) -> Iterator[str]:
    with new_database(node.url()) as url:
        yield url


def test_galera_is_refused_and_nothing_is_written(url: str) -> None:
    with closing(open_database(url)) as database:
        for use in (database.check, lambda: dbuploader.migrations.migrate(database)):
            with pytest.raises(DatabaseUnavailable, match="member of a Galera cluster"):
                use()
    with (
        closing(open_database(url, allow_multi_primary=True)) as database,
        database.read() as connection,
    ):
        assert connection.exec_driver_sql("SHOW TABLES").all() == []


def test_the_migrations_say_so_and_run_where_it_is_allowed(url: str) -> None:
    environment = {**os.environ, "MUSTER_EMPLOYMENT_DATABASE_URL": url}

    def migrate(**allowed: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "dbuploader.migrations"],
            env={**environment, **allowed},
            capture_output=True,
            text=True,
        )

    refused = migrate()
    assert refused.returncode == 1
    assert "set MUSTER_ALLOW_MULTI_PRIMARY=true" in refused.stderr
    assert migrate(MUSTER_ALLOW_MULTI_PRIMARY="true").returncode == 0
    with closing(open_database(url, allow_multi_primary=True)) as database:
        check_schema(database)


def test_its_sessions_wait_for_what_is_committed(url: str) -> None:
    with closing(open_database(url, allow_multi_primary=True)) as database:
        for transaction in (database.read, database.write):
            with transaction() as connection:
                assert connection.scalar(text("SELECT @@wsrep_sync_wait")) == 7


def test_there_the_migrations_hold_the_row(url: str) -> None:
    held: list[object] = []
    with closing(open_database(url, allow_multi_primary=True)) as database:
        auth.migrations.migrate(database)
        with database.migrating() as connection:
            held += connection.exec_driver_sql("SELECT owner FROM migration_lock").all()
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT owner FROM migration_lock").all() == []
    assert len(held) == 1
