from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dbuploader.suite import Suite


@pytest.fixture
def empty_suite(tmp_path: Path) -> Iterator[Suite]:
    suite = Suite(tmp_path)
    yield suite
    suite.close()


@pytest.fixture
def suite(empty_suite: Suite) -> Suite:
    """A suite with departments and jobs 1 to 3."""
    empty_suite.seed()
    return empty_suite
