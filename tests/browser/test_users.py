"""Users are listed, added, changed, kept out and removed; and I change my password."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.site import PASSWORD, Site, begin_session, sign_in
from tests.e2e.waiting import wait_until

ANOTHER = "staple another battery"


@pytest.fixture
def users(admin_page: Page) -> Page:
    admin_page.goto("/users")
    return admin_page


def row_of(page: Page, email: str) -> Locator:
    return page.locator("tbody tr", has=page.get_by_role("link", name=email, exact=True))


def add(page: Page, email: str, *permissions: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    for box in page.get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("value") in permissions)
    page.get_by_role("button", name="Add").click()


def test_a_user_is_added_and_may_do_what_was_chosen(users: Page, strangers_page: Page) -> None:
    add(users, "cleo@example.com", "queries:read")
    expect(row_of(users, "cleo@example.com")).to_contain_text("see tables and hiring")
    expect(row_of(users, "cleo@example.com")).to_contain_text("Active")
    strangers_page.goto("/tables")
    sign_in(strangers_page, "cleo@example.com", PASSWORD)
    expect(strangers_page.get_by_role("heading", name="Tables")).to_be_visible()
    expect(strangers_page.get_by_role("link", name="Users")).to_have_count(0)


def test_an_email_that_is_taken_is_told_and_what_was_filled_in_kept(users: Page) -> None:
    add(users, "ana@example.com", "users:admin")
    expect(users.get_by_role("alert").filter(visible=True)).to_contain_text("has this email")
    expect(users.get_by_label("Email")).to_have_value("ana@example.com")
    expect(users.get_by_role("checkbox", name="manage users")).to_be_checked()


def test_permissions_are_changed(users: Page, site: Site) -> None:
    site.add_user("finn@example.com", "uploads:read")
    users.reload()
    users.get_by_role("link", name="finn@example.com").click()
    users.get_by_role("checkbox", name="see own uploads").uncheck()
    users.get_by_role("checkbox", name="see tables and hiring").check()
    users.get_by_role("button", name="Save").click()
    expect(row_of(users, "finn@example.com")).to_contain_text("see tables and hiring")
    expect(row_of(users, "finn@example.com")).not_to_contain_text("see own uploads")


def test_a_disabled_user_is_out_and_may_not_sign_in(users: Page, site: Site) -> None:
    email = "gil@example.com"
    site.add_user(email, "queries:read")
    with site.open_page(email) as gils_page:
        gils_page.goto("/tables")
        users.reload()
        users.get_by_role("link", name=email).click()
        users.get_by_role("checkbox", name="Disabled").check()
        users.get_by_role("button", name="Save").click()
        expect(row_of(users, email)).to_contain_text("Disabled")
        wait_until_out(gils_page, "/tables")
        assert begin_session(gils_page, site, email, PASSWORD) == 401


def wait_until_out(page: Page, path: str) -> None:
    # The gateway asks every other second whose sessions have ended.
    def is_out() -> bool:
        page.goto(path)
        return page.get_by_role("button", name="Sign in").is_visible()

    wait_until(is_out)


def test_a_user_is_deleted_after_a_second_look(users: Page, site: Site) -> None:
    email = "hank@example.com"
    site.add_user(email)
    users.reload()
    users.get_by_role("link", name=email).click()
    expect(users.get_by_role("button", name="Delete")).to_be_hidden()
    users.get_by_text("Delete this user").click()
    users.get_by_role("button", name="Delete").click()
    users.wait_for_url("**/users")
    expect(row_of(users, email)).to_have_count(0)


@pytest.fixture
def account(site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The account page of a user of the test's own."""
    email = f"user{abs(hash(request.node.name))}@example.com"
    site.add_user(email, "queries:read")
    with site.open_page(email) as page:
        page.goto("/account")
        yield page


def change(page: Page, current: str, new: str, again: str) -> None:
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(again)
    page.get_by_role("button", name="Change my password").click()


def test_my_password_is_changed_and_my_other_sessions_end(account: Page, site: Site) -> None:
    email = account.locator("section h2 bdi").inner_text()
    with site.open_page(email) as other:
        other.goto("/account")
        change(account, PASSWORD, ANOTHER, ANOTHER)
        expect(account.get_by_role("status").filter(visible=True)).to_contain_text("is changed")
        account.goto("/account")
        expect(account.get_by_role("heading", name="My account")).to_be_visible()
        wait_until_out(other, "/account")


@pytest.mark.parametrize(
    ("current", "again", "complaint"),
    [("not my password", ANOTHER, "password"), (PASSWORD, f"{ANOTHER}!", "not the same")],
)
def test_a_password_that_is_not_changed_is_told(
    account: Page, current: str, again: str, complaint: str
) -> None:
    change(account, current, ANOTHER, again)
    expect(account.get_by_role("alert").filter(visible=True)).to_contain_text(complaint)
