"""Rejected rows: shown with the bad cell, corrected in place, sent again, or taken home."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from embedded.client import Json
from muster.contracts.tables import tables
from tests.browser.first_day import FirstDay
from tests.browser.site import Site
from tests.browser.states import expect_final

# Of each rejected row, its line and the names of its bad cells.
MARKED = """(rows) => rows.map((row) => [row.querySelector("th").innerText,
  ...[...row.querySelectorAll("td.bad [aria-invalid=true]")].map((bad) => bad.ariaLabel)])"""
BAD = b'701,=1+1\n702,\n"703",Cook\nx,Baker\n'


@pytest.fixture
def rejected(page: Page, site: Site) -> Json:
    """An upload of four rows with two bad ones, whose page is open."""
    upload = site.ana.wait(site.ana.upload("jobs.csv", BAD)["id"])
    page.goto(f"/uploads/{upload['id']}")
    return upload


def saved(download: Download) -> bytes:
    path = download.path()
    return Path(path).read_bytes()


def test_counts_and_causes_are_told(page: Page, first_day: FirstDay) -> None:
    hires = first_day.uploads[-1]
    page.goto(f"/uploads/{hires['id']}")
    counts = page.get_by_label("Rows", exact=True)
    for field in ("read", "inserted", "rejected"):
        expect(counts.locator(f"[data-field={field}]")).to_have_text(f"{hires['rows'][field]:,}")
    causes = page.get_by_role("region", name="Why rows were rejected").locator("tbody tr")
    expect(causes).to_have_count(len(hires["causes"]))
    for row, cause in zip(causes.all(), hires["causes"], strict=True):
        cells = row.locator("td").all_inner_texts()
        called = tables()["hired_employees"].heading(cause["column"])
        assert cells[:2] == [str(cause["rows"]), called]
        assert "Blank" in cells[2]
        assert cells[3] == str(cause["first_line"])


def test_each_rejected_row_has_its_line_and_its_bad_cell_marked(
    page: Page, site: Site, first_day: FirstDay
) -> None:
    hires = first_day.uploads[-1]
    rejects = site.ana.rejects(hires["id"])
    page.goto(f"/uploads/{hires['id']}")
    shown = page.locator("tr[data-line]").evaluate_all(MARKED)
    heading = tables()["hired_employees"].heading
    expected = [
        [each["_line"], f"{heading(each['_column'])}, line {each['_line']}"] for each in rejects
    ]
    assert sorted(shown) == sorted(expected)
    # By cause, and each cause in the order of its lines.
    assert len(page.locator("tr.cause").all()) == len(hires["causes"])


def test_a_row_is_corrected_in_place_and_sent_again(page: Page, site: Site, rejected: Json) -> None:
    page.get_by_label("Job, line 2").fill("Butcher")
    expect(page.locator("#corrected")).to_have_text("1 corrected, 1 left.")
    expect(page.locator("tr.corrected")).to_have_count(1)
    page.get_by_role("button", name="Send the corrected").click()
    page.wait_for_url(lambda url: not url.endswith(rejected["id"]))
    expect_final(page, "Loaded")
    corrected = site.ana.get_upload(page.url.rpartition("/")[2])
    assert corrected["rows"]["read"] == 1
    assert {"id": 702, "job": "Butcher"} in site.ana.rows("jobs")
    page.get_by_role("link", name="an earlier upload").click()
    expect(page).to_have_url(f"/uploads/{rejected['id']}")


def test_nothing_is_sent_while_nothing_was_changed(page: Page, site: Site, rejected: Json) -> None:
    before = len(site.ana.uploads())
    page.get_by_role("button", name="Send the corrected").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("No cell was changed")
    assert len(site.ana.uploads()) == before


def test_who_leaves_is_asked_whether_changes_may_be_lost(page: Page, rejected: Json) -> None:
    page.get_by_label("Job, line 2").press_sequentially("B")
    with page.expect_event("dialog") as asked:
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("link", name="Uploads").first.click(no_wait_after=True)
    assert asked.value.type == "beforeunload"
    assert page.url.endswith(rejected["id"])
    page.get_by_label("Job, line 2").clear()


def test_the_file_can_be_had_as_it_came(page: Page, rejected: Json) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert download.value.suggested_filename == "jobs.csv"
    assert saved(download.value) == BAD


def test_the_rejected_rows_can_be_had_safe_for_a_spreadsheet_or_as_they_came(
    page: Page, site: Site
) -> None:
    upload = site.ana.wait(site.ana.upload("jobs.csv", b"0,=1+1\n")["id"])
    page.goto(f"/uploads/{upload['id']}")
    with page.expect_download() as safe:
        page.get_by_role("link", name="Download the rejected rows").click()
    with page.expect_download() as raw:
        page.get_by_role("link", name="for programs").click()
    assert job_in(saved(safe.value)) == "'=1+1"
    assert job_in(saved(raw.value)) == "=1+1"


def job_in(content: bytes) -> str:
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    return row["job"]


def test_an_upload_that_failed_says_why(page: Page, site: Site) -> None:
    upload = site.ana.wait(site.ana.upload("jobs.csv", b"")["id"])
    page.goto(f"/uploads/{upload['id']}")
    expect(page.locator("#upload .badge")).to_have_text("Failed")
    expect(page.locator("#upload .complaint")).to_contain_text("no rows in it")
