"""Every view is light; in both themes, at each width, axe-core finds nothing and all fits."""

import pytest

from tests.browser.axe import violations
from tests.browser.conftest import only_on
from tests.browser.first_day import FirstDay
from tests.browser.site import Site
from tests.browser.views import THEMES, VIEWS, WIDTHS, is_too_wide, showing, widths

_MAX_BYTES = 150_000
_CHECKED = dict(zip((WIDTHS[0], WIDTHS[-1]), THEMES, strict=True))
_LOADED = """async () => {
  const [page] = performance.getEntriesByType("navigation");
  const parts = [page, ...performance.getEntriesByType("resource")];
  const paint = await new Promise((done) => new PerformanceObserver((list) =>
    done(list.getEntries()[0].startTime)).observe({type: "paint", buffered: true}));
  return [parts.reduce((sum, part) => sum + part.encodedBodySize, 0), paint];
}"""


@only_on("embedded")
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_suits_everybody(name: str, site: Site, first_day: FirstDay) -> None:
    with showing(VIEWS[name], site, first_day) as page:
        weight, painted = page.evaluate(_LOADED)
        print(f"{name}: {weight:,} bytes, painted after {painted:.0f} ms")
        assert 0 < weight < _MAX_BYTES
        # The colours depend on the theme alone, and all else on the width.
        for width in widths(page):
            assert not is_too_wide(page), width
            if width in _CHECKED:
                page.emulate_media(color_scheme=_CHECKED[width])
                assert violations(page) == [], width
