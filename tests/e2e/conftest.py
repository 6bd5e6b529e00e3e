from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.families import Family, embedded_family, private_servers, shared_servers

ROOT = Path(__file__).parents[2]
ADMIN = "admin@example.com"
FAMILIES = ["embedded", "servers"]
# On a busy machine a suite takes minutes to start and to stop.
PATIENTLY = pytest.mark.timeout(600)
# All tests of an xdist group run in one process, so that they have one suite in common.
IN_GROUPS = [
    pytest.param(name, marks=[pytest.mark.xdist_group(name), PATIENTLY]) for name in FAMILIES
]


@contextmanager
def open_family(name: str, directory: Path, run_directory: Path) -> Iterator[Family]:
    if name == "embedded":
        yield embedded_family(directory)
        return
    with shared_servers(directory, run_directory) as family:
        yield family


ON_EMBEDDED = pytest.param("embedded", marks=PATIENTLY)
# A suite that a test starts for itself costs most on servers.
ON_SERVERS = pytest.param("servers", marks=[PATIENTLY, pytest.mark.chaos])


@pytest.fixture(params=[ON_EMBEDDED, ON_SERVERS])
def family(request: pytest.FixtureRequest, tmp_path: Path, run_directory: Path) -> Iterator[Family]:
    with open_family(request.param, tmp_path, run_directory) as family:
        yield family


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[Family]:
    with private_servers(tmp_path) as family:
        yield family


@pytest.fixture(scope="session", params=IN_GROUPS)
def suite(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_directory: Path
) -> Iterator[SuiteProcess]:
    """One suite of each family for all tests that don't mind others.

    Its processes say in their logs which modules they import.
    """
    directory = tmp_path_factory.mktemp("suite")
    with (
        open_family(request.param, directory, run_directory) as family,
        family.run({"PYTHONPROFILEIMPORTTIME": "1"}) as running,
    ):
        yield running


@pytest.fixture
def admin(suite: SuiteProcess) -> Iterator[Client]:
    with Client(suite.url, ADMIN, suite.admin_password()) as client:
        yield client
