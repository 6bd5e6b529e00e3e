"""Pictures of every view in both themes and at both widths.

`python -m tests.browser.screenshots DIRECTORY SAMPLES`
"""

import sys
import tempfile
from pathlib import Path

from embedded.client import Client
from tests.browser.chromium import open_chromium
from tests.browser.first_day import spend_first_day
from tests.browser.site import ADMIN, ANA, PASSWORD, PERMISSIONS, SETTINGS, Site
from tests.browser.views import VIEWS, looks, showing
from tests.e2e.families import embedded_family


def draw(directory: Path, samples: Path) -> None:
    """Write a PNG of each view, of a suite into which the three files of `samples` were loaded."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        open_chromium() as browser,
        embedded_family(Path(home)).run(SETTINGS) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        admin.add_user(ANA, PASSWORD, PERMISSIONS)
        with Client(suite.url, ANA, PASSWORD) as ana:
            site = Site(suite, browser, admin, ana)
            with site.open_page(ANA) as page:
                day = spend_first_day(page, ana, samples)
            for name, view in VIEWS.items():
                with showing(view, site, day) as page:
                    for theme, width in looks(page):
                        path = directory / f"{name}-{theme}-{width}.png"
                        page.evaluate("scrollTo(0, 0)")
                        page.screenshot(path=path)
                        print(path)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
