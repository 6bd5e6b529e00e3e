"""Whatever the gateway refuses, the page says in words what is wrong and what to do."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.choosing import choose, chosen, csv_file, done, send
from tests.browser.site import MAX_UPLOAD_BYTES, Site, begin_session

ONE_JOB = csv_file("jobs.csv", b"401,Cooper\n")


def expect_complaint(page: Page, text: str) -> None:
    expect(chosen(page).locator(".complaint")).to_contain_text(text)
    # And it is said aloud.
    expect(page.locator("#told")).to_contain_text(text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        pytest.param(csv_file("jobs.csv", b"PK\x03\x04" + bytes(60)), "zip", id="415 a zip"),
        pytest.param(csv_file("jobs.csv", b"%PDF-1.7\n"), "PDF", id="415 a PDF"),
        pytest.param(
            csv_file("jobs.csv", b"402,Cooper\n" * (MAX_UPLOAD_BYTES // 11 + 1)),
            f"{MAX_UPLOAD_BYTES:,} bytes",
            id="413",
        ),
        pytest.param(csv_file(f"{'j' * 256}.csv", b"403,Cook\n"), "255 characters", id="422 name"),
    ],
)
def test_a_file_that_is_not_taken(page: Page, file: FilePayload, text: str) -> None:
    page.goto("/")
    choose(page, file)
    chosen(page).get_by_label("Table").select_option("jobs")
    send(page)
    expect_complaint(page, text)


def test_an_option_that_is_not_known(page: Page) -> None:
    page.goto("/")
    page.get_by_text("Options").click()
    page.get_by_label("Encoding").fill("klingon")
    choose(page, ONE_JOB)
    send(page)
    expect_complaint(page, "klingon")


def test_files_that_refer_to_a_refused_one_wait_until_it_is_seen_to(page: Page) -> None:
    page.goto("/")
    hires = csv_file("hired_employees.csv", b"9901,Ana,2021-07-27,1,1\n")
    choose(page, csv_file("departments.csv", b"%PDF-1.7\n"), ONE_JOB, hires)
    send(page)
    waiting = chosen(page).filter(has_text="hired_employees.csv")
    expect(waiting).to_contain_text("First see to departments.csv, or remove it")
    expect(chosen(page).filter(has_text="departments.csv").first).to_contain_text("PDF")
    # Jobs need no departments.
    expect(done(page)).to_have_count(1)
    page.get_by_role("button", name="Remove departments.csv").click()
    send(page)
    expect(done(page)).to_have_count(2)


def test_a_session_that_ended_before_the_file_was_sent(page: Page) -> None:
    page.goto("/")
    choose(page, ONE_JOB)
    page.context.clear_cookies()
    send(page)
    expect_complaint(page, "You are signed out. Sign in again")
    expect(page.locator("#signed-out")).to_be_visible()


def test_a_permission_that_was_taken_away_before_the_file_was_sent(site: Site) -> None:
    email = "dora@example.com"
    user = site.add_user(email, "uploads:write", "uploads:read")
    with site.open_page(email) as page:
        page.goto("/")
        choose(page, ONE_JOB)
        # The session ends with the permissions that it began with; this one has begun after.
        site.change_user(user, permissions=["uploads:read"])
        begin_session(page, site, email)
        send(page)
        expect_complaint(page, "You may no longer upload files.")


def test_who_may_not_upload_sees_no_form_for_it(site: Site) -> None:
    email = "reader@example.com"
    site.add_user(email, "uploads:read")
    with site.open_page(email) as page:
        page.goto("/")
        expect(page.locator("#list-title")).to_be_visible()
        expect(page.locator("#send")).to_have_count(0)
        page.goto("/users")
        expect(page.get_by_role("heading")).to_have_text("Not permitted")
        expect(page.locator("main")).to_contain_text("the permission to manage users")


def test_an_upload_that_is_not_there(page: Page) -> None:
    page.goto("/uploads/none")
    expect(page.get_by_role("heading")).to_have_text("Not found")
    page.get_by_role("link", name="To my uploads").click()
    expect(page).to_have_url("/")


def test_cancelling_what_is_done_already(page: Page, site: Site) -> None:
    with site.loader_paused():
        upload = site.ana.upload("jobs.csv", b"404,Cook\n")
        # This page does not notice that the upload gets done.
        page.route("**/*.js", lambda route: route.abort())
        page.goto(f"/uploads/{upload['id']}")
    site.ana.wait(upload["id"])
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("main")).to_contain_text("Status 409")
