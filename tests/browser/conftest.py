from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from playwright.sync_api import Browser, Page, expect

from embedded.client import Client
from tests.browser.chromium import installed, open_chromium
from tests.browser.first_day import FirstDay, spend_first_day
from tests.browser.site import (
    ADMIN,
    ANA,
    MAX_UPLOAD_BYTES,
    NEW,
    PASSWORD,
    PERMISSIONS,
    SETTINGS,
    TIMEOUT_MILLISECONDS,
    Site,
)
from tests.e2e.conftest import FAMILIES, open_family
from tests.servers.process import require


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    require(installed() is not None, "Chromium")
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with open_chromium() as browser:
        yield browser


def families(*names: str) -> list[ParameterSet]:
    """Parameters of `new_site`. What a page does it does on any backends: `make chaos` looks."""
    # The first test of a family waits until everything has started.
    marks = {"servers": [pytest.mark.chaos]}
    return [
        pytest.param(name, marks=[pytest.mark.timeout(900), *marks.get(name, [])]) for name in names
    ]


def only_on(name: str) -> pytest.MarkDecorator:
    """For tests of what the page does by itself, whatever family is behind it."""
    return pytest.mark.parametrize("new_site", families(name), indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a site in a row, so that one process, too, starts each site once."""
    items.sort(key=_site_of)


def _site_of(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return "" if call is None else str(call.params.get("new_site", ""))


@pytest.fixture(scope="session", params=families(*FAMILIES))
def new_site(
    request: pytest.FixtureRequest,
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
) -> Iterator[Site]:
    """A site on which nothing was done yet."""
    directory = tmp_path_factory.mktemp("site")
    settings = {**SETTINGS, "MUSTER_MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES)}
    with (
        open_family(request.param, directory, run_directory) as family,
        family.run(settings) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        admin.add_user(ANA, PASSWORD, PERMISSIONS)
        admin.add_user(NEW, PASSWORD, PERMISSIONS)
        with Client(suite.url, ANA, PASSWORD) as ana:
            yield Site(suite, chromium, admin, ana)


@pytest.fixture(scope="session")
def first_day(new_site: Site) -> FirstDay:
    with new_site.open_page(ANA) as page:
        return spend_first_day(page, new_site.ana)


@pytest.fixture
def site(new_site: Site, first_day: FirstDay) -> Site:
    """The site with the sample files loaded."""
    return new_site


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """A page on which Ana is signed in, who may upload and ask."""
    with site.open_page(ANA) as page:
        yield page


@pytest.fixture
def admin_page(site: Site) -> Iterator[Page]:
    with site.open_page(ADMIN) as page:
        yield page


@pytest.fixture
def strangers_page(site: Site) -> Iterator[Page]:
    """A page on which nobody is signed in."""
    with site.open_page() as page:
        yield page
