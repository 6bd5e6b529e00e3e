from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.client import Client
from embedded.running import RunningSuite

ROOT = Path(__file__).parents[2]
ADMIN = "admin@example.com"


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """One suite for all tests of the xdist group `suite`, which run in one process."""
    with RunningSuite(tmp_path_factory.mktemp("suite") / "home") as running:
        yield running


@pytest.fixture
def admin(suite: RunningSuite) -> Iterator[Client]:
    with Client(suite.url, ADMIN, suite.admin_password()) as client:
        yield client
