"""Every view is light; in both themes, at both widths, axe-core finds nothing and all fits."""

import pytest

from tests.browser.axe import violations
from tests.browser.conftest import families
from tests.browser.first_day import FirstDay
from tests.browser.site import Site
from tests.browser.views import VIEWS, is_too_wide, looks, showing

_MAX_BYTES = 150_000
_LOADED = """async () => {
  const [page] = performance.getEntriesByType("navigation");
  const parts = [page, ...performance.getEntriesByType("resource")];
  const paint = await new Promise((done) => new PerformanceObserver((list) =>
    done(list.getEntries()[0].startTime)).observe({type: "paint", buffered: true}));
  return [parts.reduce((sum, part) => sum + part.encodedBodySize, 0), paint];
}"""


# What a page looks like does not depend on where it comes from.
@pytest.mark.parametrize("new_site", families("embedded"), indirect=True)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_suits_everybody(name: str, site: Site, first_day: FirstDay) -> None:
    with showing(VIEWS[name], site, first_day) as page:
        weight, painted = page.evaluate(_LOADED)
        print(f"{name}: {weight:,} bytes, painted after {painted:.0f} ms")
        assert 0 < weight < _MAX_BYTES
        for theme, width in looks(page):
            assert violations(page) == [], (theme, width)
            assert not is_too_wide(page), width
