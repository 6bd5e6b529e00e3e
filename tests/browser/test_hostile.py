"""Values that try to be more than text stay text, and break no layout."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.browser.choosing import choose, chosen, csv_file, send
from tests.browser.conftest import only_on
from tests.browser.hostile import (
    EMAIL,
    FILENAME,
    LONG,
    MARKUP,
    YEAR,
    Hostile,
    leave_hostile_values,
)
from tests.browser.site import ADMIN, Site, sign_in
from tests.browser.views import is_too_wide, widths

pytestmark = only_on("embedded")


@pytest.fixture(scope="module")
def hostile(new_site: Site) -> Hostile:
    return leave_hostile_values(new_site)


def assert_harmless(page: Page, text: str) -> None:
    """The text is there, as text; the fixture of the page sees that nothing else happened."""
    shown = page.locator("body").inner_text()
    values = page.locator("input").evaluate_all("(inputs) => inputs.map((input) => input.value)")
    assert text in shown or text in values
    for width in widths(page):
        assert not is_too_wide(page), width


# As the table pages name the key after which they go on.
AFTER_900 = b64encode(b"900").decode()
PLACES = {
    "list": ("/", FILENAME),
    "file name": ("/uploads/{rejected}", FILENAME),
    "rejected cell": ("/uploads/{rejected}", MARKUP),
    "long cell": ("/uploads/{rejected}", LONG),
    # Of which a message quotes the beginning.
    "column": ("/uploads/{failed}", MARKUP[:30]),
    "department": ("/tables/departments", MARKUP),
    "job": ("/tables/jobs?cursor={cursor}", MARKUP),
    "hires": (f"/questions?year={YEAR}", MARKUP),
    "chosen department": (f"/questions?year={YEAR}&department={quote(MARKUP)}", MARKUP),
    "webhooks": ("/account/webhooks", MARKUP),
    "webhook": ("/account/webhooks/{webhook}", MARKUP),
    "users": ("/users", EMAIL),
    "user": ("/users/{user}", EMAIL),
    "table of that name": (f"/tables/{quote(MARKUP.replace('/', ''), safe='')}", "img"),
    "year": (f"/questions?year={quote(MARKUP)}", "year"),
    "filter": (f"/?state={quote(MARKUP)}&table={quote(MARKUP)}", "Uploads"),
}


@pytest.mark.parametrize("place", PLACES)
def test_stored_values_stay_text(site: Site, hostile: Hostile, place: str) -> None:
    path, text = PLACES[place]
    ids = {"rejected": hostile.rejected["id"], "failed": hostile.failed["id"]}
    with site.open_page(ADMIN) as page:
        ids |= {"user": hostile.user["id"], "webhook": hostile.webhook}
        page.goto(path.format(**ids, cursor=AFTER_900))
        assert_harmless(page, text)


def test_a_hostile_account_stays_text(site: Site, hostile: Hostile) -> None:
    with site.open_page(EMAIL) as page:
        page.goto("/account")
        assert_harmless(page, EMAIL)


def test_hostile_names_of_chosen_files_stay_text(page: Page, site: Site) -> None:
    page.goto("/")
    choose(
        page,
        csv_file(f"jobs{FILENAME}", b"1,Cook\n"),
        csv_file(f"jobs{MARKUP}{LONG[:300]}".replace("/", ""), b"1\n"),
    )
    send(page)
    chosen(page).get_by_text("255 characters").wait_for()
    assert_harmless(page, f"jobs{FILENAME}")


def test_a_hostile_email_in_the_form_stays_text(strangers_page: Page) -> None:
    strangers_page.goto(f"/login?next=/{quote(MARKUP)}")
    sign_in(strangers_page, EMAIL, MARKUP)
    strangers_page.get_by_role("alert").filter(visible=True).wait_for()
    assert_harmless(strangers_page, EMAIL)
