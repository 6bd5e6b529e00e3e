"""A server proves what Muster rests on, or is refused: Vitess, say, for which a proxy stands in.

It sends the server other statements than Muster does, so that Muster hears that they took place.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from auth.app import create_app as create_auth
from auth.services import Services as AuthServices
from auth.settings import Settings as AuthSettings
from dbuploader.app import create_app as create_dbuploader
from dbuploader.db.schema import load_attempts
from dbuploader.services import Services as DbuploaderServices
from dbuploader.settings import Settings as DbuploaderSettings
from muster.adapters import ConfigurationError
from muster.backends.servers import require_servers
from muster.database import Database, DatabaseRefused, DatabaseUnavailable, open_database
from muster.database.mysql.admission import prove_writes
from muster.database.mysql.connection import MysqlConnection, connect, parse
from muster.http.service import Health, provided
from queries.app import create_app as create_queries
from queries.services import Services as QueriesServices
from queries.settings import Settings as QueriesSettings
from tests.adapters import closed_adapters
from tests.servers.mariadb import MariaServer, new_database
from tests.servers.rewriting import StatementRewriter

# One process of the run starts the server, not each.
pytestmark = pytest.mark.xdist_group("mysql-node")

READ_ONLY = b"SET TRANSACTION READ ONLY"
IGNORED = b"DO 'what a lie this is !'"
LIES = [
    pytest.param(READ_ONLY, IGNORED, "does not heed SET TRANSACTION READ ONLY", id="read-only"),
    pytest.param(
        b"'REPEATABLE-READ'", b"'READ-COMMITTED' ", "not kept .*: .*tx_isolation", id="isolation"
    ),
    pytest.param(b"STRICT_ALL_TABLES", b"NO_ZERO_DATE,ANSI", "not kept .*: sql_mode", id="mode"),
    pytest.param(b" FOR UPDATE NOWAIT", b" " * 18, "lock the same row", id="locks"),
    pytest.param(b"rollback", b"commit  ", "keeps what was rolled back", id="rollback"),
]


@pytest.fixture
def url(mysql_node: MariaServer) -> Iterator[str]:
    """A database with the table of the trial."""
    with new_database(mysql_node.url()) as url:
        make_table(url)
        yield url


def make_table(url: str) -> None:
    with closing(open_database(url)) as database, database.write() as connection:
        load_attempts.create(connection)


@contextmanager
def lying(
    server: MariaServer, url: str, text: bytes, other: bytes
) -> Iterator[tuple[str, StatementRewriter]]:
    with StatementRewriter(server.port, text, other) as proxy:
        yield url.replace(f":{server.port}/", f":{proxy.port}/"), proxy


@pytest.mark.parametrize(("text", "other", "complaint"), LIES)
def test_a_server_that_does_not_do_what_it_is_told_is_refused_until_it_does(
    mysql_node: MariaServer, url: str, text: bytes, other: bytes, complaint: str
) -> None:
    with (
        lying(mysql_node, url, text, other) as (lies, proxy),
        closing(open_database(lies, trial=load_attempts)) as database,
    ):
        for _ in range(2):
            with pytest.raises(DatabaseRefused, match=complaint) as caught:
                database.check()
            assert isinstance(caught.value, DatabaseUnavailable)
            assert f"MariaDB at 127.0.0.1:{proxy.port} " in str(caught.value)
        proxy.is_on = False
        database.check()


def test_an_honest_one_is_asked_once_and_keeps_nothing(mysql_node: MariaServer, url: str) -> None:
    with (
        lying(mysql_node, url, READ_ONLY, IGNORED) as (proxied, proxy),
        closing(open_database(proxied, trial=load_attempts)) as database,
    ):
        proxy.is_on = False
        assert tried(database) == []
        proxy.is_on = True
        database.engine.dispose()
        database.check()


def tried(database: Database) -> list[object]:
    with database.read() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM load_attempts"))


def test_the_trial_waits_for_its_table(mysql_node: MariaServer) -> None:
    with (
        new_database(mysql_node.url()) as url,
        lying(mysql_node, url, b"rollback", b"commit  ") as (lies, _),
        closing(open_database(lies, trial=load_attempts)) as database,
    ):
        database.check()
        make_table(url)
        database.engine.dispose()
        with pytest.raises(DatabaseRefused, match="keeps what was rolled back"):
            database.check()


@pytest.fixture
def connections(url: str) -> Iterator[tuple[MysqlConnection, MysqlConnection]]:
    with closing(connect(parse(url))) as one, closing(connect(parse(url))) as other:
        yield one, other


@pytest.mark.parametrize(
    ("of_one", "of_other", "complaint"),
    [
        ("sql_mode = ''", "sql_mode = ''", "cuts what is too long"),
        ("sql_mode = 'TRADITIONAL'", "tx_isolation = 'READ-UNCOMMITTED'", "is not committed"),
    ],
)
def test_a_session_that_is_set_otherwise_does_not_pass(
    connections: tuple[MysqlConnection, MysqlConnection], of_one: str, of_other: str, complaint: str
) -> None:
    for connection, setting in zip(connections, (of_one, of_other), strict=True):
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION {setting}")
        cursor.close()
    with pytest.raises(DatabaseRefused, match=complaint):
        prove_writes(*connections, load_attempts, "the server")


@pytest.mark.parametrize("service", ["auth", "dbuploader", "queries"])
def test_no_service_starts_on_one_that_lies(
    mysql_node: MariaServer,
    url: str,
    service: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {"auth": ["open_broker"], "dbuploader": ["open_stores"], "queries": []}[service]
    with (
        lying(mysql_node, url, READ_ONLY, IGNORED) as (lies, _),
        closed_adapters(monkeypatch, f"{service}.app", *others),
    ):
        app = {
            "auth": lambda: create_auth(AuthSettings(home=tmp_path, auth_database_url=lies)),
            "dbuploader": lambda: create_dbuploader(
                DbuploaderSettings(home=tmp_path, employment_database_url=lies)
            ),
            "queries": lambda: create_queries(
                QueriesSettings(home=tmp_path, employment_database_url=lies)
            ),
        }[service]()
        kept = {
            "auth": AuthServices,
            "dbuploader": DbuploaderServices,
            "queries": QueriesServices,
        }[service]
        with (
            closing(provided(app, kept).database),
            pytest.raises(ConfigurationError, match="does not heed SET TRANSACTION READ ONLY"),
        ):
            require_servers(provided(app, Health).dependencies)
