"""The list of uploads: by state and table, and some at a time."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from embedded.client import Client
from tests.browser.site import PASSWORD, Site

BEN = "ben@example.com"
# One more than there are on a page.
COUNT = 21


@pytest.fixture(scope="module")
def bens_uploads(new_site: Site) -> list[str]:
    """The names of his uploads, newest first: all loaded but the last."""
    new_site.add_user(BEN, "uploads:read", "uploads:write")
    with Client(new_site.url, BEN, PASSWORD) as ben:
        for number in range(COUNT):
            rows = b"601,Cook\n" if number < COUNT - 1 else b",Nobody\n"
            last = ben.upload(f"{number}.csv", rows, table="jobs")
        ben.wait(last["id"])
    return [f"{number}.csv" for number in reversed(range(COUNT))]


@pytest.fixture
def bens_page(new_site: Site, bens_uploads: list[str]) -> Iterator[Page]:
    with new_site.open_page(BEN) as page:
        page.goto("/")
        yield page


def test_the_newest_come_first_and_the_older_on_the_next_page(
    bens_page: Page, bens_uploads: list[str]
) -> None:
    expect(bens_page.locator("#rows a")).to_have_text(bens_uploads[:20])
    bens_page.get_by_role("link", name="Older uploads").click()
    expect(bens_page.locator("#rows a")).to_have_text(bens_uploads[20:])
    expect(bens_page.get_by_role("link", name="Older uploads")).to_have_count(0)


def test_one_state_can_be_shown(bens_page: Page, bens_uploads: list[str]) -> None:
    bens_page.get_by_label("State").select_option(label="With rejected rows")
    bens_page.get_by_role("button", name="Search").click()
    expect(bens_page.locator("#rows a")).to_have_text(bens_uploads[:1])
    expect(bens_page.get_by_label("State")).to_have_value("completed_with_rejects")


def test_a_filter_that_leaves_nothing_leads_back(bens_page: Page, bens_uploads: list[str]) -> None:
    bens_page.get_by_role("combobox", name="Table", exact=True).select_option(label="Departments")
    bens_page.get_by_role("button", name="Search").click()
    expect(bens_page.locator("#empty")).to_contain_text("No upload matches")
    bens_page.get_by_role("link", name="Show all").click()
    expect(bens_page.locator("#rows a")).to_have_text(bens_uploads[:20])


def test_the_administrator_sees_whose_they_are(admin_page: Page, bens_uploads: list[str]) -> None:
    admin_page.goto("/?state=completed_with_rejects&table=jobs")
    mine = admin_page.locator("#rows tr", has_text=bens_uploads[0])
    expect(mine.first).to_contain_text(BEN)


def test_nobody_sees_uploads_of_others(page: Page, bens_uploads: list[str]) -> None:
    page.goto("/?state=completed_with_rejects&table=jobs")
    expect(page.locator("#rows a", has_text=bens_uploads[0])).to_have_count(0)
