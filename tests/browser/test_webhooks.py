"""Webhooks: registered, called, looked at, disabled and deleted, in the browser."""

import pytest
from playwright.sync_api import Page, expect
from standardwebhooks.webhooks import Webhook

from tests.browser.conftest import only_on
from tests.browser.site import Site
from tests.servers.webhook_receiver import receiving, status


@pytest.fixture
def webhooks(page: Page, site: Site) -> Page:
    """The page of the webhooks, come to as people do."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page.goto("/account")
    page.get_by_role("link", name="My webhooks").click()
    return page


@only_on("embedded")
def test_a_webhook_is_registered_called_and_followed_until_it_is_deleted(
    webhooks: Page, site: Site
) -> None:
    page = webhooks
    with receiving(status("204 No Content"), None) as receiver:
        secret = register(page, f"http://127.0.0.1:{receiver.port}/hook")
        page.get_by_role("link", name=str(receiver.port)).click()
        upload = site.ana.upload("jobs.csv", b"1,Cook\n")["id"]
        site.ana.wait_for_email(upload)
        page.get_by_role("button", name="Send a test").click()
        # What becomes of it is shown without being asked for.
        test, finished = page.locator("#sent tbody tr").all()
        expect(test.locator(".badge")).to_have_text("Delivered")
        expect(test).to_contain_text("204")
        expect(finished.get_by_role("link", name="jobs.csv")).to_have_attribute(
            "href", f"/uploads/{upload}"
        )
        for call in receiver.calls:
            Webhook(secret).verify(call.body, call.headers)
        receiver.answer = status("410 Gone")
        finished.get_by_role("button", name="again").click()
        expect(finished.locator(".badge")).to_have_text("Not delivered")
        expect(finished).to_contain_text("410 Gone")
        page.reload()
        page.get_by_role("button", name="Enable").click()
        receiver.answer = status("500 Oops")
        page.get_by_role("button", name="Send a test").click()
        expect(test).to_contain_text("it answered 500")
        expect(test.locator("[data-part=next]")).to_contain_text("UTC")
        page.get_by_role("button", name="Disable").click()
        expect(test.locator(".badge")).to_have_text("Not delivered")
        expect(page.get_by_role("button", name="Send a test")).to_have_count(0)
    page.get_by_text("Delete this webhook").click()
    page.get_by_role("button", name="Delete it for good").click()
    page.wait_for_url("**/account/webhooks")
    expect(page.get_by_role("link", name=str(receiver.port))).to_have_count(0)


def register(page: Page, url: str) -> str:
    """Register a webhook at the second try; returns its secret, as the button copied it."""
    page.get_by_label("URL").fill("https://127.0.0.2/")
    page.get_by_label("Description").fill("the payroll script")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_label("URL")).to_be_focused()
    expect(page.get_by_label("URL")).to_have_accessible_description(
        "127.0.0.2 is not an address that a webhook may call."
    )
    page.get_by_label("URL").fill(url)
    page.get_by_role("button", name="Register it").dblclick()
    expect(page.get_by_label("Description")).to_have_value("")
    page.get_by_role("button", name="Copy the secret").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    secret = page.locator("#secret").inner_text()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.reload()
    expect(page.locator("#secret")).to_have_count(0)
    expect(page.get_by_role("link", name=url)).to_have_count(1)
    return secret
