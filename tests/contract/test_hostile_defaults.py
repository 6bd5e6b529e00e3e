"""Whatever a server has for defaults, answers, counts and tables are the same."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import inspect

import auth.migrations
import dbuploader.migrations
from auth.accounts import Accounts
from auth.errors import EmailTaken, LastAdministrator
from auth.passwords import Passwords
from auth.repository import UserStore
from auth.schema import metadata as auth_tables
from auth.users import StoredUser, UserChanges
from dbuploader.batches.idempotency import BatchKey
from dbuploader.batches.merge import Batches
from dbuploader.db.schema import metadata as ledger_tables
from muster.contracts.tables import get_table
from muster.contracts.tables.sql import metadata as employment_tables
from muster.database import Database, DatabaseRefused, open_database
from muster.http.tokens import Principal
from queries.hiring import Hiring
from queries.rows import TableRows
from queries.selection import Selection
from tests.contract.hostile_defaults import ON_MARIADB, ON_MYSQL, REFUSED, WORST, Default, hostile
from tests.servers.mariadb import MariaServer, administration, run
from tests.unit.auth.suite import OTHER_PASSWORD, PlainHasher, new_user
from tests.unit.dbuploader.suite import BATCH_LIMITS, Suite, an_author

# One process of the run starts the server, not each.
pytestmark = pytest.mark.xdist_group("mysql-node")

DATABASES = ("hostile_auth", "hostile_employment")
NAMES = [f"Département №{number} de l'été" for number in range(1, 13)]
DEPARTMENTS = "".join(f"{number},{name}\n" for number, name in enumerate(NAMES, start=1))
JOBS = "".join(f"{number},Job {number:03}\n" for number in range(1, 13))
HIRES = "".join(
    f"{key},Ana {key},2021-{key % 12 + 1:02}-28T23:59:59Z,{key % 13},{key % 12 + 1}\n"
    for key in range(1, 40)
)
CHANGED = "".join(
    f"{key},Eva {key // 2},2021-12-31T23:00:00-02:00,{key % 12 + 1},1\n" for key in range(2, 80, 3)
)
NOON = "2021-01-01T12:00:00Z"


class Urls(NamedTuple):
    auth: str
    employment: str


@contextmanager
def prepared(server: MariaServer) -> Iterator[Urls]:
    """Migrated databases, with an account that may do everything in them and nothing beside."""
    create(server)
    administer(server, "CREATE USER hostile@'127.0.0.1'")
    administer(server, "GRANT ALL ON `hostile\\_%`.* TO hostile@'127.0.0.1'")
    urls = Urls(*(server.url(database, user="hostile") for database in DATABASES))
    migrate(urls)
    yield urls
    drop(server)
    administer(server, "DROP USER hostile@'127.0.0.1'")


def create(server: MariaServer) -> None:
    # As deploy/mysql/accounts.sh does.
    kind = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    administer(server, *(f"CREATE DATABASE {database} {kind}" for database in DATABASES))


def drop(server: MariaServer) -> None:
    administer(server, *(f"DROP DATABASE {database}" for database in DATABASES))


def administer(server: MariaServer, *statements: str) -> None:
    with closing(administration(server.url())) as administrator:
        for statement in statements:
            run(administrator, statement)


def migrate(urls: Urls) -> None:
    with closing(open_database(urls.auth)) as database:
        auth.migrations.migrate(database)
    with closing(open_database(urls.employment)) as database:
        dbuploader.migrations.migrate(database)


def empty(server: MariaServer) -> None:
    for database, tables in zip(
        DATABASES,
        ([auth_tables], [ledger_tables, employment_tables]),
        strict=True,
    ):
        with (
            closing(administration(server.url())) as administrator,
            administrator.write() as connection,
        ):
            connection.exec_driver_sql(f"USE {database}")
            for metadata in tables:
                for table in reversed(metadata.sorted_tables):
                    if table.name not in {"administration", "journal_head"}:
                        connection.execute(table.delete())


def work(urls: Urls, home: Path) -> dict[str, Any]:
    """What comes of an example of each thing that is done with the databases."""
    return {**load_and_ask(urls.employment, home), **manage_users(urls.auth)}


def load_and_ask(url: str, home: Path) -> dict[str, Any]:
    done: dict[str, Any] = {}
    with closing(Suite(home, url)) as suite:
        for step, table, content, options in (
            ("departments", "departments", DEPARTMENTS, {}),
            ("jobs", "jobs", JOBS, {}),
            ("a dry run", "hired_employees", HIRES, {"dry_run": True}),
            ("hires", "hired_employees", HIRES, {}),
            ("changes", "hired_employees", CHANGED, {}),
            ("nothing new", "hired_employees", CHANGED, {"mode": "insert"}),
        ):
            upload = suite.load(table, content, **options)
            done[step] = (upload.state, upload.rows, upload.causes, upload.error)
            if upload.rows and upload.rows.rejected:
                done[f"{step}: rejects"] = suite.rejects(upload.id)
        done |= send_batches(suite.database)
        done["tables"] = [suite.rows(table) for table in ("departments", "jobs", "hired_employees")]
        done["summary"] = suite.summary()
        assert done["summary"] == suite.expected_summary()
        done["questions"] = ask(suite.database)
    return done


def send_batches(database: Database) -> dict[str, Any]:
    batches = Batches(database, BATCH_LIMITS)
    jobs = [{"id": number, "job": f"Job {number:04}"} for number in range(6, 20)]
    orphan = {"id": 100, "name": "Bo", "datetime": NOON, "department_id": 99, "job_id": 1}
    key = BatchKey("1", "a key", "a fingerprint")
    return {
        "a batch": [batches.merge(get_table("jobs"), jobs, key, an_author()) for _ in range(2)],
        "a batch without a key": batches.merge(get_table("jobs"), jobs, None, an_author()),
        "a batch with an orphan": batches.merge(
            get_table("hired_employees"), [orphan], None, an_author()
        ),
    }


def ask(database: Database) -> list[object]:
    hiring, pages = Hiring(database), TableRows(database)
    table = get_table("hired_employees")
    everybody, some = Selection(table, table.key), Selection(table, "job_id", search="B")
    first = pages.read(everybody, 10, None)
    return [
        hiring.years(),
        hiring.by_quarter(2021),
        hiring.above_mean(2021),
        first,
        pages.read(everybody, 100, first.next),
        pages.read(some, 100, None, with_names=True),
        b"".join(pages.stream(some)),
    ]


def manage_users(url: str) -> dict[str, Any]:
    done: dict[str, Any] = {}
    with closing(open_database(url)) as database:
        store = UserStore(database)
        store.check()
        accounts = Accounts(store, Passwords(PlainHasher()), 3600, clock=lambda: 1_800_000_000)
        ids: dict[str, str] = {}
        for number in range(8):
            email = f"{'somebody-with-a-long-name-' * 2}{number}@example.com"
            user = accounts.add(new_user(email, *["users:admin"] * (number < 2), "uploads:write"))
            ids[user.id] = f"user {number}"
        first, second, third, *_ = [accounts.get(user) for user in ids]
        done["taken"] = raised(lambda: accounts.add(new_user(first.email)))
        accounts.change(third.id, UserChanges(permissions=frozenset({"queries:read"})))
        accounts.set_own_password(second, OTHER_PASSWORD)
        accounts.delete(first.id)
        done["the last"] = raised(lambda: accounts.delete(second.id))
        for number in range(3):
            accounts.end_token(principal(third, number))
        with store.writing() as users:
            for number in range(8):
                users.see(third.id, f"192.0.2.{number}", number)
        with store.reading() as users:
            done["networks"] = [users.seen_from(third.id, f"192.0.2.{n}") for n in range(8)]
        done["users"] = [{**asdict(user), "id": ids[user.id]} for user in accounts.all()]
        ended, tokens = accounts.revocations()
        done["revocations"] = {ids[user]: generation for user, generation in ended.items()}
        done["ended"] = sorted(tokens)
        done["found"] = accounts.find(third.email.upper()).generation
    return done


def principal(user: StoredUser, number: int) -> Principal:
    return Principal(
        id=user.id,
        email=user.email,
        permissions=user.permissions,
        generation=user.generation,
        token_id=f"{number:032}",
        expires_at=1_800_003_600,
    )


def raised(call: Any) -> type[BaseException] | None:
    try:
        call()
    except (EmailTaken, LastAdministrator) as error:
        return type(error)
    return None


def schema(urls: Urls) -> dict[str, str]:
    """Each table's definition."""
    definitions: dict[str, str] = {}
    for url in urls:
        with closing(open_database(url)) as database, database.read() as connection:
            for table in inspect(connection).get_table_names():
                shown = connection.exec_driver_sql(f"SHOW CREATE TABLE {table}").one()
                # Where its counter stands says what was done with the table, not what it is.
                definitions[table] = re.sub(r" AUTO_INCREMENT=\d+", "", str(shown[1]))
    return definitions


class Node(NamedTuple):
    """A server with prepared databases, and what comes of the work on it by its own defaults."""

    server: MariaServer
    urls: Urls
    expected: dict[str, Any]


@contextmanager
def node_of(server: MariaServer, home: Path) -> Iterator[Node]:
    with prepared(server) as urls:
        yield Node(server, urls, work(urls, home))


@pytest.fixture(scope="module")
def mariadb(mysql_node: MariaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of(mysql_node, tmp_path_factory.mktemp("expected")) as node:
        yield node


@pytest.fixture(scope="module")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """MySQL, where `make bench` has installed it."""
    from bench.mysql import MysqlServer, is_installed

    if not is_installed():
        pytest.skip("no MySQL here: `make bench ONLY=load` installs it")
    with (
        MysqlServer(tmp_path_factory.mktemp("mysql")) as server,
        node_of(server, tmp_path_factory.mktemp("expected")) as node,
    ):
        yield node


def changes_nothing(node: Node, defaults: Sequence[Default], home: Path) -> None:
    """The work comes to the same, or the server is refused."""
    empty(node.server)
    with hostile(node.server, defaults) as known:
        if not known:
            pytest.skip(f"the server knows no {defaults[0]}")
        if known[0] in REFUSED:
            with pytest.raises(DatabaseRefused, match=known[0].names[0]):
                work(node.urls, home)
        else:
            assert work(node.urls, home) == node.expected


def sampled(defaults: Sequence[Default]) -> list[Any]:
    """All of them; `make test` tries those that did most harm."""
    return [
        pytest.param(each, id=str(each), marks=() if each in WORST else pytest.mark.chaos)
        for each in defaults
    ]


@pytest.mark.parametrize("default", sampled(ON_MARIADB))
def test_on_mariadb_a_default_changes_nothing(
    mariadb: Node, default: Default, tmp_path: Path
) -> None:
    changes_nothing(mariadb, [default], tmp_path)


@pytest.mark.chaos
@pytest.mark.parametrize("default", ON_MYSQL, ids=str)
def test_on_mysql_a_default_changes_nothing(mysql: Node, default: Default, tmp_path: Path) -> None:
    changes_nothing(mysql, [default], tmp_path)


def test_all_of_them_at_once_change_nothing(mariadb: Node, tmp_path: Path) -> None:
    changes_nothing(mariadb, [each for each in ON_MARIADB if each not in REFUSED], tmp_path)


def test_the_migrations_make_the_same_tables(mariadb: Node) -> None:
    expected = schema(mariadb.urls)
    with hostile(mariadb.server, [each for each in ON_MARIADB if each not in REFUSED]):
        drop(mariadb.server)
        create(mariadb.server)
        migrate(mariadb.urls)
        assert schema(mariadb.urls) == expected
