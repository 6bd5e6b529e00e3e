"""Reads from the secondaries of a real MySQL group, which are made to lag, to hang or to die."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

import dbuploader.migrations
from muster.contracts.tables.sql import hires_summary
from muster.database import Database, DatabaseUnavailable, Reads, open_database
from muster.database.replicas import READS, open_reads
from tests.servers.mariadb import administration, new_database, run
from tests.servers.mysqlgroup import GroupMember, mysql_group
from tests.waiting import eventually

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.xdist_group("clusters"),
    pytest.mark.timeout(600),
]

TIMES = 200
COUNT = text("SELECT COUNT(*) FROM departments")


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[GroupMember]]:
    with mysql_group(tmp_path_factory.mktemp("group"), 3, single_primary=True) as members:
        yield members


@pytest.fixture
def url(members: Sequence[GroupMember]) -> Iterator[str]:
    """The database, with its tables; the first member is the primary."""
    hosts = ",".join(f"127.0.0.1:{member.port}" for member in members)
    with new_database(f"mysql://root@{hosts}/") as url:
        with closing(open_database(url)) as database:
            dbuploader.migrations.migrate(database)
        yield url


@pytest.fixture
def primary(url: str) -> Iterator[Database]:
    with closing(open_database(url)) as database:
        yield database


@pytest.fixture
def reads(members: Sequence[GroupMember], url: str) -> Iterator[Reads]:
    others = ",".join(f"127.0.0.1:{member.port}" for member in members[1:])
    read_url = f"mysql://root@{others}/{Path(url).name}"
    reads = open_reads(url, read_url, hires_summary)
    yield reads
    reads.close()  # type: ignore[attr-defined]


def insert(database: Database, number: int) -> None:
    run(database, f"INSERT INTO departments VALUES ({number}, 'Department {number}')")


def count(reads: Reads) -> int:
    with reads.read() as connection:
        return int(connection.scalar(COUNT) or 0)


def answered(server: str) -> float:
    return float(READS.labels(server)._value.get())


@contextmanager
def standing_still(member: GroupMember) -> Iterator[Connection]:
    """Have it answer, and commit nothing."""
    with (
        closing(administration(member.url())) as administrator,
        administrator.engine.connect() as connection,
    ):
        connection.exec_driver_sql("FLUSH TABLES WITH READ LOCK")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("UNLOCK TABLES")


def test_secondaries_answer_and_miss_nothing(primary: Database, reads: Reads) -> None:
    before = answered("replica"), answered("primary")
    for number in range(1, TIMES + 1):
        insert(primary, number)
        assert count(reads) == number
    replicas = answered("replica") - before[0]
    print(f"\n{replicas:.0f} of {TIMES} reads right after a change were of a replica")
    assert replicas + answered("primary") - before[1] == TIMES
    assert replicas > TIMES / 2


def test_what_lags_is_passed_over(
    members: Sequence[GroupMember], primary: Database, reads: Reads
) -> None:
    insert(primary, 1)
    with standing_still(members[1]):
        insert(primary, 2)
        before = answered("replica")
        assert [count(reads) for _ in range(4)] == [2, 2, 2, 2]
        assert answered("replica") == before + 4
        with standing_still(members[2]):
            insert(primary, 3)
            before = answered("primary")
            assert [count(reads) for _ in range(4)] == [3, 3, 3, 3]
            assert answered("primary") == before + 4


def test_a_primary_that_the_others_do_not_answer_is_not_believed(
    members: Sequence[GroupMember], primary: Database, reads: Reads
) -> None:
    insert(primary, 1)
    assert count(reads) == 1
    with ExitStack() as stack:
        for member in members[1:]:
            member.pause()
            stack.callback(member.resume)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            count(reads)
        print(f"\nrefused after {time.monotonic() - began:.1f} s")
        # By itself it answers, for it does not know.
        assert count(primary) == 1
    eventually(lambda: is_answered(lambda: count(reads)))


def is_answered(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except DatabaseUnavailable:
        return False
    return True


def test_what_it_costs(primary: Database, reads: Reads) -> None:
    """In turns, so that both meet the same load of the machine."""
    insert(primary, 1)
    seconds: dict[str, list[float]] = {"primary": [], "replica": []}
    for _ in range(TIMES):
        for name, source in (("primary", primary), ("replica", reads)):
            began = time.perf_counter()
            count(source)
            seconds[name].append(time.perf_counter() - began)
    for name, taken in seconds.items():
        print(f"\n{name}: median {sorted(taken)[TIMES // 2] * 1000:.2f} ms a read")
