"""Sign in and out: the session's cookie, and who is kept out."""

import pytest
from playwright.sync_api import Page, expect

from gateway.web.session import COOKIE
from tests.browser.site import ANA, PASSWORD, Site, begin_session, sign_in

MALLORY = "mallory@example.com"
# On the same host, so that the browser does send the cookie, but another origin.
NEIGHBOUR = "http://127.0.0.1:9"
ELSEWHERE = "http://elsewhere.example"
HTML = {"Content-Type": "text/html"}


def cookies(page: Page) -> list[str]:
    return [cookie.get("name", "") for cookie in page.context.cookies()]


def test_a_wrong_password_is_told_and_the_email_kept(strangers_page: Page) -> None:
    strangers_page.goto("/")
    sign_in(strangers_page, ANA, "not the password")
    expect(strangers_page.get_by_role("alert")).to_have_text("Wrong email or password.")
    expect(strangers_page.get_by_label("Email")).to_have_value(ANA)
    expect(strangers_page.get_by_label("Password")).to_be_focused()
    assert cookies(strangers_page) == []


def test_too_many_wrong_passwords_are_told_with_the_time_to_wait(
    strangers_page: Page, site: Site
) -> None:
    site.add_user(MALLORY)
    for _ in range(10):
        assert begin_session(strangers_page, site, MALLORY, "wrong") == 401
    strangers_page.goto("/login")
    sign_in(strangers_page, MALLORY, PASSWORD)
    expect(strangers_page.get_by_role("alert")).to_contain_text("Too many")


def test_signing_in_leads_on_to_the_page_that_was_asked_for(strangers_page: Page) -> None:
    strangers_page.goto("/tables/jobs")
    sign_in(strangers_page, ANA, PASSWORD)
    strangers_page.wait_for_url("/tables/jobs")
    expect(strangers_page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_no_script_and_no_other_site_gets_the_session(page: Page) -> None:
    page.goto("/")
    (cookie,) = page.context.cookies()
    assert cookie.get("name") == COOKIE
    assert cookie.get("httpOnly")
    assert cookie.get("sameSite") == "Strict"
    assert page.evaluate("document.cookie") == ""


def test_who_signs_out_is_out(strangers_page: Page, site: Site) -> None:
    page = strangers_page
    assert begin_session(page, site, ANA) == 303
    (session,) = page.context.cookies()
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("/login")
    assert cookies(page) == []
    kept = {"Cookie": f"{session.get('name')}={session.get('value')}"}
    assert page.request.get("/v1/me", headers=kept).status == 401
    # Nor does the way back lead to what was there.
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_session_that_ends_while_a_page_is_open_leads_to_the_form(page: Page) -> None:
    page.goto("/")
    page.context.clear_cookies()
    page.get_by_role("link", name="Tables").click()
    expect(page).to_have_url("/login?next=/tables")


@pytest.mark.parametrize("origin", [NEIGHBOUR, ELSEWHERE])
def test_no_other_site_can_act_for_somebody_signed_in(site: Site, origin: str) -> None:
    button = f"<form method=post action={site.url}/logout><button>Win a prize</button></form>"
    with site.open_page(ANA, origin) as page:
        page.context.route(f"{origin}/**", lambda route: route.fulfill(body=button, headers=HTML))
        page.goto(f"{origin}/")
        page.get_by_role("button", name="Win a prize").click()
        expect(page.get_by_role("heading")).to_have_text("Not from here")
        assert cookies(page) == [COOKIE]
