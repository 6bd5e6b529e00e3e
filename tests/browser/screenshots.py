"""Pictures of every view in both themes and at each width, from top to bottom.

`python -m tests.browser.screenshots DIRECTORY SAMPLES [VIEW …]`
"""

import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from embedded.client import Client
from tests.browser.chromium import open_chromium
from tests.browser.first_day import EMPTY, SAMPLES, FirstDay, spend_first_day
from tests.browser.site import (
    ADMIN,
    ANA,
    NEW,
    PASSWORD,
    PERMISSIONS,
    SETTINGS,
    TIMEOUT_MILLISECONDS,
    Site,
)
from tests.browser.views import VIEWS, looks, showing
from tests.e2e.families import embedded_family

# No view that people look through is longer; a table of 500 rows is.
_HIGHEST = 3000


def draw(directory: Path, samples: Path, names: Collection[str] = ()) -> None:
    """Write a PNG of each view, or of those, of a suite that has loaded the files of `samples`.

    Before that of the pages as they are while there is nothing to show.
    """
    directory.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with _new_site() as site, site.open_page(ANA) as page:
        for path in EMPTY if not names else []:
            page.goto(path)
            _shoot(page, directory, f"empty{path.replace('/', '-')}")
        day = spend_first_day(page, site.ana, samples)
        for name in names or VIEWS:
            _draw_view(name, site, day, directory)


def _draw_view(name: str, site: Site, day: FirstDay, directory: Path) -> None:
    with showing(VIEWS[name], site, day) as page:
        _shoot(page, directory, name)


def _shoot(page: Page, directory: Path, name: str) -> None:
    for theme, width in looks(page):
        page.evaluate("scrollTo(0, 0)")
        height = page.evaluate("document.documentElement.scrollHeight")
        path = directory / f"{name}-{theme}-{width}.png"
        page.screenshot(
            path=path,
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": min(height, _HIGHEST)},
        )
        print(path, flush=True)


@contextmanager
def _new_site() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory() as home,
        open_chromium() as browser,
        embedded_family(Path(home)).run(SETTINGS) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        for email in (ANA, NEW):
            admin.add_user(email, PASSWORD, PERMISSIONS)
        with Client(suite.url, ANA, PASSWORD) as ana:
            yield Site(suite, browser, admin, ana)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2] or SAMPLES), sys.argv[3:])
