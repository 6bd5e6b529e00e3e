"""A browser whose network is slow or gone for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page


@contextmanager
def slow_network(page: Page, bytes_per_second: int) -> Iterator[None]:
    """What the page sends goes no faster than this."""
    session = page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    throttled = {**conditions, "uploadThroughput": bytes_per_second}
    session.send("Network.emulateNetworkConditions", throttled)
    try:
        yield
    finally:
        session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": -1})
        session.detach()
