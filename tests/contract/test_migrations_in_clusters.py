"""Migrations on two members at once, and reads on one of what was committed on another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import event, text

import auth.migrations
import dbuploader.migrations
from muster.database import AccessDenied, Database, open_database
from tests.servers.galera import galera_cluster
from tests.servers.mariadb import MariaServer, new_database, run, with_database
from tests.servers.mysqlgroup import mysql_group
from tests.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("clusters")]

TRIES = 15
READS = 100
MIGRATIONS = {"auth": auth.migrations.migrate, "dbuploader": dbuploader.migrations.migrate}
CLUSTERS: dict[str, tuple[Callable[..., AbstractContextManager[Sequence[MariaServer]]], int]] = {
    "galera": (galera_cluster, 3),
    "group": (mysql_group, 2),
}
AT_ONCE = {
    "galera": "SET SESSION wsrep_sync_wait = 0",
    "group": "SET SESSION group_replication_consistency = 'EVENTUAL'",
}
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


@pytest.fixture(scope="module", params=CLUSTERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def members(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[MariaServer]]:
    cluster, number = CLUSTERS[kind]
    with cluster(tmp_path_factory.mktemp(kind), number) as members:
        yield members


def opened(member: MariaServer, database_url: str) -> Database:
    name = Path(database_url).name
    return open_database(with_database(member.url(), name), allow_multi_primary=True)


def migrate(service: str, url: str, start: Barrier) -> None:
    with closing(open_database(url, allow_multi_primary=True)) as database:
        start.wait()
        MIGRATIONS[service](database)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("service", MIGRATIONS)
def test_migrations_on_two_members_at_once_all_end_well(
    members: Sequence[MariaServer], service: str
) -> None:
    for _ in range(TRIES):
        with new_database(members[0].url()) as url:
            with closing(opened(members[-1], url)) as there:
                eventually(partial(is_there, there))
            start = _FORKS.Barrier(2)
            urls = [with_database(each.url(), Path(url).name) for each in (members[0], members[-1])]
            processes = [_FORKS.Process(target=migrate, args=(service, u, start)) for u in urls]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
            assert [process.exitcode for process in processes] == [0, 0]
            for member in members:
                with closing(opened(member, url)) as database, database.read() as connection:
                    versions = connection.exec_driver_sql("SELECT * FROM alembic_version").all()
                    locks = connection.exec_driver_sql("SELECT * FROM migration_lock").all()
                assert (len(versions), len(locks)) == (1, 0)


@pytest.mark.timeout(3600)
def test_what_is_committed_on_one_member_is_read_on_another(
    members: Sequence[MariaServer], kind: str
) -> None:
    with (
        new_database(members[0].url()) as url,
        closing(opened(members[0], url)) as here,
        closing(opened(members[-1], url)) as there,
        closing(opened(members[-1], url)) as impatient,
    ):
        event.listen(impatient.engine, "connect", lambda driver, _: execute(driver, AT_ONCE[kind]))
        run(here, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT) ENGINE=InnoDB")
        # A session that does not wait may come before the database itself.
        eventually(lambda: is_there(impatient))
        missed = [number for number in range(READS) if not is_read(here, impatient, number)]
        print(f"{kind}: of {READS} reads {len(missed)} missed by sessions that do not wait")
        assert all(is_read(here, there, READS + number) for number in range(READS))


def is_there(database: Database) -> bool:
    try:
        database.check()
    except AccessDenied:
        return False
    return True


def execute(driver: object, statement: str) -> None:
    cursor = driver.cursor()  # type: ignore[attr-defined]
    cursor.execute(statement)
    cursor.close()


def is_read(here: Database, there: Database, number: int) -> bool:
    insert = text("INSERT INTO notes VALUES (:id, REPEAT('x', 20000))")
    with here.write() as connection:
        connection.execute(insert, {"id": number})
    with there.read() as connection:
        counted = text("SELECT COUNT(*) FROM notes WHERE id = :id")
        return bool(connection.scalar(counted, {"id": number}))
