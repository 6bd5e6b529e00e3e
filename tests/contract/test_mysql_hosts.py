"""Several hosts in a `mysql://` URL: the one that takes writes is found, whichever that is now."""

from collections.abc import Iterator
from contextlib import closing
from typing import cast
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from muster.adapters import ConfigurationError
from muster.database import Database, DatabaseRefused, DatabaseUnavailable, open_database
from muster.database.mysql.admission import admit, takes_writes
from muster.database.mysql.connection import MysqlConnection, parse_all
from muster.database.mysql.fence import Fence
from tests.contract.mysql_server import note, noted, prepare
from tests.servers.mariadb import MariaServer, administration, run
from tests.servers.process import free_port
from tests.servers.rewriting import AnswerRewriter

_ID = text("SELECT CONNECTION_ID()")

# Its server is started by one process of the run, not by each.
pytestmark = pytest.mark.xdist_group("mysql-node")

GROUP = {
    "version": "9.7.4",
    "group_replication_group_name": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
    "group_replication_single_primary_mode": "ON",
    "group_replication_consistency": "BEFORE_ON_PRIMARY_FAILOVER",
    "group_replication_transaction_size_limit": "0",
}


def test_each_host_may_have_a_port_of_its_own() -> None:
    targets = parse_all("mysql://u:p%40@a,b:3307,[::1]:3308/employment?connections=4")
    assert [str(target) for target in targets] == ["a:3306", "b:3307", "::1:3308"]
    assert {(each.user, each.password, each.connections) for each in targets} == {("u", "p@", 4)}


@pytest.mark.parametrize("hosts", ["a,,b", "a,b:port", ",a", "a,"])
def test_a_list_with_a_host_that_is_none_says_so_without_the_password(hosts: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must name|can't be read") as caught:
        open_database(f"mysql://user:secret@{hosts}/employment")
    assert "secret" not in str(caught.value)


def test_a_new_primary_answers_when_it_has_what_the_last_one_had_committed() -> None:
    assert admit(GROUP, "host:3306", False) == ()
    (statement,) = admit({**GROUP, "group_replication_consistency": "EVENTUAL"}, "host", False)
    assert "'BEFORE_ON_PRIMARY_FAILOVER'" in statement
    assert admit({**GROUP, "group_replication_consistency": "AFTER"}, "host", False) == ()


def test_a_group_that_takes_no_long_transaction_is_refused() -> None:
    limit = "group_replication_transaction_size_limit"
    with pytest.raises(DatabaseRefused, match=f"{limit}=150000000 and Muster needs 0 or at least"):
        admit({**GROUP, limit: "150000000"}, "host:3306", False)
    assert admit({**GROUP, limit: str(1024**3)}, "host:3306", False) == ()
    # The plugin is there, and the server is a member of nothing.
    alone = {**GROUP, "group_replication_group_name": "", limit: "150000000"}
    assert admit(alone, "host:3306", False) == ()


def test_a_member_that_is_read_only_takes_no_writes() -> None:
    assert takes_writes({**GROUP, "read_only": "OFF"})
    assert not takes_writes({**GROUP, "read_only": "ON"})


@pytest.fixture
def server(mysql_node: MariaServer) -> Iterator[MariaServer]:
    """A server with notes, and an account that may not write while it is read-only."""
    prepare(mysql_node)
    with closing(administration(mysql_node.url())) as administrator:
        run(administrator, "CREATE OR REPLACE USER service@'127.0.0.1'")
        run(administrator, "GRANT ALL ON service.* TO service@'127.0.0.1'")
        yield mysql_node
        run(administrator, "SET GLOBAL read_only = OFF")


@pytest.fixture
def database(server: MariaServer) -> Iterator[Database]:
    """Its notes, in a list whose first host is not there."""
    url = f"mysql://service@127.0.0.1:{free_port()},127.0.0.1:{server.port}/service"
    with closing(open_database(url)) as database:
        yield database


def set_read_only(server: MariaServer, value: str) -> None:
    with closing(administration(server.url())) as administrator:
        run(administrator, f"SET GLOBAL read_only = {value}")


def test_a_host_that_is_away_is_passed_over(database: Database) -> None:
    note(database, 1)
    assert noted(database) == [1]


def test_one_that_takes_no_writes_is_not_the_primary_even_for_a_read(
    server: MariaServer, database: Database
) -> None:
    note(database, 1)
    # The pool has a connection, over which the server would answer: it is behind the primary now.
    set_read_only(server, "ON")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=r"is read-only|an't connect"):
            noted(database)
    set_read_only(server, "OFF")
    assert noted(database) == [1]


def test_one_that_stops_taking_writes_meanwhile_is_weather_and_left(
    server: MariaServer, database: Database
) -> None:
    ids = []

    def be_demoted() -> None:
        with database.write() as connection:
            ids.append(connection.scalar(_ID))
            set_read_only(server, "ON")
            connection.exec_driver_sql("INSERT INTO notes VALUES (1, 'lost')")

    with pytest.raises(DatabaseUnavailable):
        be_demoted()
    set_read_only(server, "OFF")
    note(database, 2)
    with database.read() as connection:
        assert connection.scalar(_ID) not in ids
    assert noted(database) == [2]


class Scripted:
    """A connection to a server at `address` that says its lock of any name is held by it."""

    def __init__(self, address: str, connection_id: int) -> None:
        self.address, self.connection_id = address, connection_id
        self.statements: list[str] = []
        self.with_rows = True

    def cursor(self) -> "Scripted":
        return self

    def execute(self, statement: str) -> None:
        self.statements.append(statement)

    def fetchone(self) -> tuple[int]:
        return (7,)

    def close(self) -> None:
        pass

    @property
    def ended(self) -> list[str]:
        return [each for each in self.statements if each.startswith("KILL")]


def test_a_connection_with_the_number_of_one_that_was_given_up_elsewhere_is_left_alone() -> None:
    fence = Fence()
    given_up, elsewhere, there = Scripted("a:3306", 7), Scripted("b:3306", 8), Scripted("a:3306", 9)
    fence.admit(cast(MysqlConnection, given_up))
    fence.give_up(given_up, None)
    fence.admit(cast(MysqlConnection, elsewhere))
    assert elsewhere.ended == []
    fence.admit(cast(MysqlConnection, there))
    assert there.ended == ["KILL CONNECTION 7"]


@pytest.mark.parametrize("version", [b"8.4.6-Vitess", b"9.0.1-vitess"])
def test_vitess_is_refused_by_its_version(server: MariaServer, version: bytes) -> None:
    """A proxy that greets with its version stands in for it."""
    with closing(open_database(server.url("service"))) as honest, honest.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        greeting = driver.server_info.encode()
    told = version + b"-" * (len(greeting) - len(version))
    with AnswerRewriter(server.port, greeting, told) as proxy:
        parts = urlsplit(server.url("service", "service"))
        url = parts._replace(netloc=f"service@127.0.0.1:{proxy.port}").geturl()
        with closing(open_database(url)) as database:
            with pytest.raises(DatabaseRefused, match=r"is Vitess \(.*its read-only transactions"):
                database.check()
            proxy.is_on = False
            database.check()
