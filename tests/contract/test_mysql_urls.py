"""What a `mysql://` URL may say, and what becomes of one that is not right."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from muster.adapters import ConfigurationError
from muster.database import Database, DatabaseUnavailable, open_database
from tests.contract.certificates import Authority
from tests.servers.mariadb import MariaServer, administration, require_mariadb, run
from tests.servers.recording import Recorder

# Its servers are started by one process of the run, not by each.
pytestmark = pytest.mark.xdist_group("mysql-node")

ODD_PASSWORD = "p@ss/w#rd:?%é 'x\\"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://user:secret@host", "must name"),
        ("mysql://user:secret@host/", "must name"),
        ("mysql://user:secret@/database", "must name"),
        ("mysql://host/database", "must name"),
        ("mysql://user:secret@host/a/b", "must name"),
        ("mysql://user:sec#secret@host/database", "must name|can't be read"),
        ("mysql://user:sec/secret@host/database", "must name|can't be read"),
        ("mysql://user:secret@host:port/database", "can't be read"),
        ("mysql://user:secret@[host/database", "can't be read"),
        ("mysql://user:%ff-secret@host/database", "can't be read"),
        ("mysql://user:secret@host/database?charset=latin1", "no option 'charset'; known are ca"),
        ("mysql://user:secret@host/database?ca_file=", "names no file"),
        ("mysql://user:secret@host/database?connections=0", "from 1 to 3600"),
        ("mysql://user:secret@host/database?connections=many", "from 1 to 3600"),
        ("mysql://user:secret@host/database?connections=1&connections=2", "twice"),
        ("mysql://user:secret@host/database?connections", "can't be read"),
    ],
)
def test_a_url_that_can_t_be_used_says_why_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "mysql://user:password@host:3306/database" in str(caught.value)


@pytest.fixture
def odd_account(mysql_database_url: str) -> Iterator[str]:
    """The URL of a database, for an account with an odd password."""
    parts = urlsplit(mysql_database_url)
    database = parts.path[1:]
    # MySQL takes 32 letters.
    name = database[-32:]
    password = ODD_PASSWORD.replace("\\", "\\\\").replace("'", "''")
    with closing(administration(mysql_database_url)) as administrator:
        run(administrator, f"CREATE USER `{name}` IDENTIFIED BY '{password}'")
        run(administrator, f"GRANT ALL ON `{database}`.* TO `{name}`")
        password = quote(ODD_PASSWORD, safe="")
        yield f"mysql://{name}:{password}@{parts.hostname}:{parts.port}/{database}"
        run(administrator, f"DROP USER `{name}`")


def test_a_password_is_percent_encoded(odd_account: str) -> None:
    with closing(open_database(odd_account)) as database:
        database.check()


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("p%40ss", "wrong", "Access denied"),
        ("/muster_", "/none_", "Access denied|Unknown database"),
    ],
)
def test_what_an_operator_has_to_put_right_is_unavailable_and_told(
    odd_account: str, right: str, wrong: str, reason: str
) -> None:
    with (
        closing(open_database(odd_account.replace(right, wrong))) as database,
        pytest.raises(DatabaseUnavailable, match=reason) as caught,
    ):
        database.check()
    assert "w#rd" not in repr(caught.value.__cause__)
    assert "w%23rd" not in repr(caught.value.__cause__)


def test_a_table_that_is_not_there_yet_is_unavailable(mysql_database_url: str) -> None:
    with (
        closing(open_database(mysql_database_url)) as database,
        pytest.raises(DatabaseUnavailable, match=r"\.ledger' doesn't exist"),
    ):
        run(database, "DELETE FROM ledger")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def encrypted(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MariaServer]:
    require_mariadb()
    file = authority.server_file("127.0.0.1")
    options = (f"--ssl-cert={file}", f"--ssl-key={file}")
    with MariaServer(tmp_path_factory.mktemp("mariadb"), *options) as server:
        yield server


def cipher_of(database: Database) -> str:
    with database.read() as connection:
        status = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'").one()
    return str(status[1])


def test_a_server_that_proves_itself_is_talked_to_in_cipher(
    encrypted: MariaServer, authority: Authority
) -> None:
    url = encrypted.url("mysql", ca_file=str(authority.ca_file))
    with closing(open_database(url)) as database:
        assert cipher_of(database)


def test_a_server_of_another_authority_is_not_talked_to(
    encrypted: MariaServer, tmp_path: Path
) -> None:
    url = encrypted.url("mysql", ca_file=str(Authority(tmp_path, "stranger").ca_file))
    with closing(open_database(url)) as database, pytest.raises(DatabaseUnavailable, match="SSL"):
        database.check()


def test_a_server_that_is_somewhere_else_is_not_talked_to(
    encrypted: MariaServer, authority: Authority
) -> None:
    url = encrypted.url("mysql", ca_file=str(authority.ca_file)).replace("127.0.0.1", "localhost")
    with closing(open_database(url)) as database, pytest.raises(DatabaseUnavailable, match="SSL"):
        database.check()


def test_a_server_without_encryption_is_not_talked_to_where_it_must_prove_itself(
    mysql_node: MariaServer, authority: Authority
) -> None:
    url = mysql_node.url("mysql", ca_file=str(authority.ca_file))
    with closing(open_database(url)) as database, pytest.raises(DatabaseUnavailable, match="SSL"):
        database.check()


def heard_of_a_row(server: MariaServer, **options: str) -> bytes:
    """What passes over the network while a row is written and read."""
    with Recorder(server.port) as network:
        url = server.url("mysql", **options).replace(f":{server.port}/", f":{network.port}/")
        with closing(open_database(url)) as database:
            run(database, "CREATE TABLE IF NOT EXISTS heard (name VARCHAR(40))")
            run(database, "INSERT INTO heard VALUES ('Marguerite Yourcenar')")
            with database.read() as connection:
                rows = connection.exec_driver_sql("SELECT name FROM heard").all()
            run(database, "DROP TABLE heard")
        assert rows == [("Marguerite Yourcenar",)]
        return network.heard


def test_who_listens_on_the_network_learns_no_row_by_tls_and_all_without(
    encrypted: MariaServer, mysql_node: MariaServer, authority: Authority
) -> None:
    assert heard_of_a_row(mysql_node).count(b"Marguerite Yourcenar") == 2
    heard = heard_of_a_row(encrypted, ca_file=str(authority.ca_file))
    assert len(heard) > 1000
    assert b"Yourcenar" not in heard
