"""When the page of an upload shows which state, seen from inside the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from playwright.sync_api import Page, expect

from embedded.client import Json

# The clock is the machine's, as the loader's is. Runs on each page, before its scripts.
_RECORD = """
addEventListener("DOMContentLoaded", () => {
  const element = document.getElementById("upload");
  const bar = element?.querySelector("progress");
  const tell = () => seenState(element.dataset.state, bar?.value ?? 1, Date.now() / 1000);
  if (bar) new MutationObserver(tell).observe(element, {subtree: true, childList: true,
    attributes: true, attributeFilter: ["data-state", "value"]});
});
"""


@dataclass(frozen=True)
class Seen:
    """A state that the page came to show, with the progress, at that time in seconds."""

    state: str
    progress: float
    at: float


def expect_final(page: Page, word: str) -> None:
    """The page of an upload tells that it ended so, and does not come anew by itself any more."""
    whole = page.locator("html:not(:has(script[src*='follow.js']))")
    expect(whole.locator("#upload .badge").first).to_have_text(word)


def record_states(page: Page) -> list[Seen]:
    """What the pages of this profile that are opened from now on come to show, as it comes."""
    seen: list[Seen] = []
    page.expose_function("seenState", lambda *values: seen.append(Seen(*values)))
    page.add_init_script(_RECORD)
    return seen


def latencies(seen: Sequence[Seen], upload: Json) -> list[float]:
    """Seconds from each change of state that the record tells of until the page showed it."""
    stamps = {"validating": upload["started_at"], upload["state"]: upload["finished_at"]}
    shown = {each.state: each.at for each in reversed(seen)}
    return [
        shown[state] - datetime.fromisoformat(stamp).timestamp()
        for state, stamp in stamps.items()
        if state in shown
    ]
