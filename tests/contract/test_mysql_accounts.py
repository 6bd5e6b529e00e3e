"""`deploy/mysql/accounts.sh`: each service can do its work under its account, and no more."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

import auth.migrations
import dbuploader.migrations
from auth.repository import UserStore
from auth.users import StoredUser
from dbuploader.arrow import to_batch
from dbuploader.batches.idempotency import BatchKey
from dbuploader.batches.merge import Batches
from dbuploader.db import check_schema as check_for_loading
from dbuploader.journal.changes import ChangeRecorder
from dbuploader.merge.bulk import BulkMerge
from dbuploader.merge.load_data import RowFiles
from dbuploader.merge.merge import MergeCounts
from muster.contracts.tables import get_table
from muster.database import Database, DatabaseUnavailable, open_database
from queries.hiring import Hiring
from queries.repository import check_schema as check_for_queries
from tests.servers.mariadb import MariaServer, administration, require_mariadb, run
from tests.unit.dbuploader.suite import BATCH_LIMITS, an_author

# One process of the run starts the server, not each.
pytestmark = pytest.mark.xdist_group("mysql-accounts")

SCRIPT = Path(__file__).parents[2] / "deploy" / "mysql" / "accounts.sh"
PASSWORDS = {
    "auth_migrations": "it's \"odd\" \\ 100% $HOME `id` #;é\\'",
    "auth": "auth & co",
    "dbuploader_migrations": "--migrations",
    "dbuploader": "\\",
    "queries": "'",
}


def run_script(server: MariaServer | int, database: str, **changes: str) -> str:
    """What it complains of; `server` may be its port."""
    port = server if isinstance(server, int) else server.port
    environment = {
        **os.environ,
        "MYSQL_HOST": "127.0.0.1",
        "MYSQL_TCP_PORT": str(port),
        "MYSQL_DATABASE": database,
        **{f"MUSTER_{name.upper()}_PASSWORD": word for name, word in PASSWORDS.items()},
        **changes,
    }
    ended = subprocess.run(
        [str(SCRIPT)], env=environment, check=False, capture_output=True, text=True
    )
    return "" if ended.returncode == 0 else ended.stderr


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The URL of each account, in migrated databases."""
    require_mariadb()
    with MariaServer(tmp_path_factory.mktemp("mariadb")) as server:
        for database in ("auth", "employment"):
            for _ in ("the first time", "again"):
                assert run_script(server, database) == ""
        urls = {name: url_of(server, name) for name in PASSWORDS}
        with closing(open_database(urls["auth_migrations"])) as database_of_users:
            auth.migrations.migrate(database_of_users)
        with closing(open_database(urls["dbuploader_migrations"])) as employment:
            dbuploader.migrations.migrate(employment)
        yield urls


def url_of(server: MariaServer, account: str) -> str:
    database = "auth" if account.startswith("auth") else "employment"
    return server.url(database, user=f"{account}:{quote(PASSWORDS[account], safe='')}")


def test_auth_keeps_its_users(urls: Mapping[str, str]) -> None:
    user = StoredUser("1", "ana@example.com", "hash", frozenset({"users:admin"}))
    with closing(open_database(urls["auth"])) as database:
        store = UserStore(database)
        store.check()
        with store.writing() as users:
            users.add(user)
            assert users.lock_administrators() == {"1"}
            users.revoke("1", 1, 0)
            users.delete("1")
        with store.reading() as users:
            assert users.all() == []


def test_dbuploader_merges_and_queries_reads(urls: Mapping[str, str]) -> None:
    with (
        closing(open_database(urls["dbuploader"])) as loading,
        closing(open_database(urls["queries"])) as asking,
    ):
        check_for_loading(loading)
        check_for_queries(asking)
        batches = Batches(loading, BATCH_LIMITS)
        for table, row in (
            ("departments", {"id": 1, "department": "Sales"}),
            ("jobs", {"id": 1, "job": "Clerk"}),
            ("hired_employees", hire(2021)),
            ("hired_employees", hire(2022)),
        ):
            key = BatchKey("1", f"{table} {row}"[:64], "fingerprint")
            assert batches.merge(get_table(table), [row], key, an_author()).status == 200
        assert [hires[2:] for hires in Hiring(asking).by_quarter(2022)] == [(1, 0, 0, 0)]
        assert Hiring(asking).by_quarter(2021) == []


def test_dbuploader_loads_in_bulk(urls: Mapping[str, str], tmp_path: Path) -> None:
    jobs = get_table("jobs")
    with closing(open_database(urls["dbuploader"], tmp_path)) as database:
        files = RowFiles(database)
        for name, counts in (("Nurse", MergeCounts(inserted=1)), ("Cook", MergeCounts(updated=1))):
            with (
                database.write() as connection,
                BulkMerge(
                    connection,
                    jobs,
                    ChangeRecorder(connection, jobs, name),
                    files,
                    insert=False,
                ) as merge,
            ):
                merge.add(to_batch(jobs, [(50, name)]))
                merge.finish()
            assert merge.counts == counts
        assert files.directory is not None


def hire(year: int) -> dict[str, object]:
    at = f"{year}-01-01T00:00:00Z"
    return {"id": 1, "name": "Ana", "datetime": at, "department_id": 1, "job_id": 1}


@pytest.mark.parametrize(
    ("account", "statement"),
    [
        ("queries", "INSERT INTO jobs VALUES (7, 'x')"),
        ("queries", "UPDATE jobs SET job = 'x'"),
        ("queries", "DELETE FROM jobs"),
        ("queries", "CREATE TABLE more (id INTEGER)"),
        ("queries", "SELECT * FROM auth.users"),
        ("queries", "SELECT * FROM mysql.user"),
        ("dbuploader", "CREATE TABLE more (id INTEGER)"),
        ("dbuploader", "ALTER TABLE jobs ADD COLUMN more INTEGER"),
        ("dbuploader", "DROP TABLE ledger"),
        ("dbuploader", "CREATE TEMPORARY TABLE more (id INTEGER)"),
        ("dbuploader", "SELECT * FROM auth.users"),
        ("dbuploader_migrations", "CREATE TABLE auth.more (id INTEGER)"),
        ("dbuploader_migrations", "GRANT SELECT ON employment.* TO queries"),
        ("auth", "CREATE TABLE more (id INTEGER)"),
        ("auth", "SELECT * FROM employment.jobs"),
        ("auth_migrations", "SELECT * FROM employment.jobs"),
    ],
)
def test_an_account_may_do_no_more(urls: Mapping[str, str], account: str, statement: str) -> None:
    with (
        closing(open_database(urls[account])) as database,
        pytest.raises(DatabaseUnavailable, match="denied"),
    ):
        run(database, statement)


def test_an_account_has_two_passwords_while_one_takes_the_place_of_the_other(
    urls: Mapping[str, str],
) -> None:
    """As docs/rotation.md says of MariaDB."""
    former, parts = urls["queries"], urlsplit(urls["queries"])
    later = urlunsplit(parts._replace(netloc=f"queries:later@{parts.hostname}:{parts.port}"))
    root = urlunsplit(parts._replace(netloc=f"root@{parts.hostname}:{parts.port}"))
    by = "mysql_native_password USING PASSWORD"
    alter = "ALTER USER 'queries'@'%' IDENTIFIED"
    with closing(administration(root)) as administrator:
        run(administrator, f"{alter} VIA {by}('later') OR {by}('''')")
        assert [logs_in(url) for url in (former, later)] == [True, True]
        run(administrator, f"{alter} BY 'later'")
        assert [logs_in(url) for url in (former, later)] == [False, True]
        run(administrator, f"{alter} BY ''''")
    assert [logs_in(url) for url in (former, later)] == [True, False]


def logs_in(url: str) -> bool:
    with closing(open_database(url)) as database:
        try:
            database.check()
        except DatabaseUnavailable:
            return False
        return True


def test_run_again_the_script_takes_away_what_is_too_much_and_else_nothing(
    urls: Mapping[str, str],
) -> None:
    """While it takes a right away, who begins a connection is refused."""
    parts = urlsplit(urls["queries"])
    root = urlunsplit(parts._replace(netloc=f"root@{parts.hostname}:{parts.port}"))
    port = parts.port or 0
    with closing(administration(root)) as administrator:
        before = revocations(administrator)
        assert run_script(port, "employment") == ""
        assert revocations(administrator) == before
        for right in ("CREATE ON employment.*", "SELECT ON auth.users", "PROCESS ON *.*"):
            run(administrator, f"GRANT {right} TO queries")
            assert run_script(port, "employment") == ""
            assert "employment" in (granted := rights_of(administrator, "queries"))
            assert [word for word in ("CREATE", "auth", "PROCESS") if word in granted] == []
        assert revocations(administrator) == before + 3


def revocations(administrator: Database) -> int:
    with administrator.read() as connection:
        said = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Com_revoke_all'")
        return int(said.one()[1])


def rights_of(administrator: Database, account: str) -> str:
    with administrator.read() as connection:
        return str(connection.exec_driver_sql(f"SHOW GRANTS FOR {account}").all())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"MUSTER_QUERIES_PASSWORD": ""}, "MUSTER_QUERIES_PASSWORD is not set"),
        ({"MYSQL_DATABASE": "other"}, "should be auth, employment or notification"),
        ({"MYSQL_DATABASE": ""}, "is auth, employment or notification"),
        ({"MYSQL_TCP_PORT": "1"}, "Can't connect"),
    ],
)
def test_the_script_says_what_it_lacks(
    mysql_server: MariaServer, changes: dict[str, str], complaint: str
) -> None:
    assert complaint in run_script(mysql_server, "employment", **changes)


def test_no_password_is_on_a_command_line(mysql_server: MariaServer, tmp_path: Path) -> None:
    client = tmp_path / "mariadb"
    client.write_text('#!/bin/sh\nfor word; do echo "argument $word" >&2; done; exit 1\n')
    client.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    arguments = run_script(mysql_server, "auth", PATH=path, MYSQL_ROOT_PASSWORD="root & co")
    assert "argument --user=root" in arguments
    assert not [word for word in (*PASSWORDS.values(), "root & co") if f" {word}" in arguments]
    assert "password" not in arguments


@pytest.fixture
def mysql_server(tmp_path: Path) -> MariaServer:
    """A server that does not run."""
    return MariaServer(tmp_path)
