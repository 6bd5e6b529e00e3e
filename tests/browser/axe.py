"""axe-core, asked what is wrong with a page for people who don't see it or use no mouse.

It comes in a wheel: axe-playwright-python carries the file of the release on npm, byte for byte but
for an end of line, and so is pinned with everything else, and needs no Node.js, npm or download.
"""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# All rules, those that are best practice only among them.
_RUN = """async () => {
  const {violations} = await axe.run(document, {resultTypes: ["violations"]});
  return violations.flatMap(({id, nodes}) => nodes.map((node) =>
    `${id}: ${node.html} ${node.failureSummary}`));
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_RUN)
    return found
