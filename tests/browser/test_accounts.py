"""Access keys, links by email and the audit log, in the browser."""

import re

import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import only_on
from tests.browser.site import ADMIN, Site, sign_in
from tests.e2e.waiting import wait_until

NEW = "staple another battery"


@only_on("embedded")
def test_a_key_is_made_shown_once_used_and_revoked(admin_page: Page, site: Site) -> None:
    admin_page.goto("/account")
    admin_page.get_by_role("link", name="My access keys").click()
    admin_page.get_by_label("Name").fill("nightly load")
    admin_page.get_by_role("button", name="Make the key").dblclick()
    key = admin_page.locator("#new-key").inner_text()
    assert ask_who_i_am(site, key).json()["email"] == ADMIN
    admin_page.reload()
    expect(admin_page.locator("#new-key")).to_have_count(0)
    admin_page.get_by_role("button", name="Revoke nightly load").click()
    expect(admin_page.get_by_text("You have no keys.")).to_be_visible()
    assert ask_who_i_am(site, key).status_code == 401


@only_on("embedded")
def test_an_invitation_and_a_forgotten_password_lead_to_an_account(
    admin_page: Page, strangers_page: Page, site: Site
) -> None:
    email = "hal@example.com"
    admin_page.goto("/users")
    admin_page.get_by_label("Email").fill(email)
    admin_page.get_by_role("button", name="Invite by email").click()
    expect(admin_page.get_by_role("status").filter(visible=True)).to_contain_text(email)
    open_link(strangers_page, site, email, "invitation")
    set_password(strangers_page, "correct horse battery", "Make my account")
    strangers_page.get_by_role("link", name="Sign in").click()
    strangers_page.get_by_role("link", name="Forgot password?").click()
    strangers_page.get_by_label("Email").fill(email)
    strangers_page.get_by_role("button", name="Send me a link").click()
    expect(strangers_page.get_by_role("status").filter(visible=True)).to_contain_text("on its way")
    link = open_link(strangers_page, site, email, "new-password")
    set_password(strangers_page, NEW, "Set my password")
    strangers_page.goto("/tables")
    sign_in(strangers_page, email, NEW)
    expect(strangers_page.get_by_role("heading", name="Tables")).to_be_visible()
    strangers_page.goto(link)
    set_password(strangers_page, "once more with it", "Set my password")
    expect(strangers_page.get_by_role("alert").filter(visible=True)).to_contain_text("used already")
    admin_page.goto("/audit?action=invitation-accepted")
    expect(admin_page.locator("tbody")).to_contain_text(email)


def ask_who_i_am(site: Site, key: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{site.url}/v1/me", headers=headers, timeout=60)


def open_link(page: Page, site: Site, email: str, path: str) -> str:
    found: list[str] = []

    def has_come() -> bool:
        found[:] = [link for link in site.links_to(email) if f"/{path}#" in link]
        return bool(found)

    wait_until(has_come)
    page.goto(found[-1])
    # Nothing of it stays in the address, nor on the page for somebody to read.
    expect(page).to_have_url(re.compile(rf"/{path}$"))
    expect(page.get_by_label("after the #")).to_be_hidden()
    return found[-1]


def set_password(page: Page, password: str, button: str) -> None:
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_label("New password again").fill(password)
    page.get_by_role("button", name=button).click()
