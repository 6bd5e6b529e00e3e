"""Debian's Chromium, driven by Playwright: no other browser is fetched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_OPTIONS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # The page works with no network but the gateway: there is none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# A busy machine may need so long.
_START_MILLISECONDS = 300_000


def installed() -> str | None:
    """Where Chromium is, if it is: rather the one without a window system, a third of the work."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed(), args=_OPTIONS, timeout=_START_MILLISECONDS
        )
        yield browser
        browser.close()
