from muster import startup

# isort: split
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before any test imports pyarrow: see dbuploader/consumer.py. The tests run on both families.
import muster.database.mysql  # noqa: F401
from muster.database import Database
from tests.routes import compile_once
from tests.servers.mariadb import administration, made_database
from tests.servers.shared import server_url
from tests.servers.templates import ReusedDatabases


class WithoutNumPy(MetaPathFinder):
    """Has no NumPy, with which pyarrow can do more: a test tool brings it, no service has it."""

    def find_spec(self, name: str, *_: object) -> None:
        """As the import system asks."""
        if name == "numpy":
            raise ModuleNotFoundError("There is no NumPy where Muster runs.", name=name)


sys.meta_path.insert(0, WithoutNumPy())
compile_once()


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, not among thousands of them."""
    startup.complete()


# A busy machine fails no property. `make chaos` tries each with thirty times the examples.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", UNHURRIED, max_examples=20)
settings.register_profile("thorough", UNHURRIED, max_examples=600)
settings.load_profile("quick")

DATABASES = ["sqlite_database_url", "mysql_database_url"]


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary directory that the processes of the run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def mysql_server_url(run_directory: Path) -> str:
    """An administrator's URL without a database: MUSTER_TEST_MYSQL_URL, or a server of our own."""
    return server_url("mysql", run_directory)


@pytest.fixture(scope="session")
def mysql_administrator(mysql_server_url: str) -> Iterator[Database]:
    """Who makes the tests' databases: to connect anew for each costs more than to make it."""
    with closing(administration(mysql_server_url)) as database:
        yield database


@pytest.fixture(scope="session")
def reused_databases(
    mysql_server_url: str, mysql_administrator: Database
) -> Iterator[ReusedDatabases]:
    """Databases that tests have one after the other."""
    with ReusedDatabases(mysql_server_url, mysql_administrator) as databases:
        yield databases


@pytest.fixture
def migrations() -> str | None:
    """The module of migrations that a database of the test may have run already; None for none."""
    return None


@pytest.fixture
def mysql_database_url(request: pytest.FixtureRequest, migrations: str | None) -> Iterator[str]:
    """A database of the test's own: empty, or as its `migrations` leave it."""
    if migrations:
        with request.getfixturevalue("reused_databases").one(migrations) as url:
            yield url
        return
    server_url, administrator = map(
        request.getfixturevalue, ("mysql_server_url", "mysql_administrator")
    )
    with made_database(server_url, administrator) as url:
        yield url


@pytest.fixture
def sqlite_database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/service.db"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own, of each kind."""
    return str(request.getfixturevalue(request.param))
