"""Taking an upload back: what it changes, the undo with its preview, and the history of a row.

Buttons are pressed with the keyboard, too.
"""

from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.choosing import choose, csv_file, done, see, send
from tests.browser.conftest import only_on

DEPARTMENT = b"910,Bakery\n"
HIRES = b"8801,Uma,1998-08-01T00:00:00Z,910,1\n8802,Ty,1998-09-01T00:00:00Z,910,1\n"


def load(page: Page, name: str, content: bytes, *, dry_run: bool = False) -> None:
    """Send a file, and go to its page once all is told."""
    page.goto("/")
    page.get_by_role("checkbox", name="Dry run").set_checked(dry_run)
    choose(page, csv_file(name, content))
    send(page)
    expect(done(page)).to_have_count(1)
    see(page)


def expect_state(page: Page, word: str) -> None:
    expect(page.locator("#upload .badge").first).to_have_text(word)
    # The page of a final upload is fetched anew.
    expect(page.locator("#upload progress")).to_have_count(0)


def impact(page: Page) -> str:
    return " ".join(page.locator(".impact").inner_text().split())


@only_on("embedded")
def test_an_upload_is_tried_loaded_undone_and_brought_back(page: Page) -> None:
    load(page, "departments.csv", DEPARTMENT)
    expect_state(page, "Loaded")
    load(page, "hired_employees.csv", HIRES, dry_run=True)
    expect_state(page, "Checked (dry run)")
    assert "What it would change in Hiring" in impact(page)
    assert "Bakery, Q3 1998: 0 → to 2" in impact(page)
    assert "Bakery comes above the mean of 1998" in impact(page)

    load(page, "hired_employees.csv", HIRES)
    expect_state(page, "Loaded")
    assert "Bakery, Q3 1998: 0 → to 2" in impact(page)
    loaded = page.url
    # A later file changes one of the two.
    load(page, "hired_employees.csv", HIRES.splitlines(keepends=True)[0].replace(b"Uma", b"Una"))

    page.goto(loaded)
    page.get_by_role("button", name="See what it would do").press("Enter")
    expect_state(page, "Checked (dry run)")
    assert "Bakery, Q3 1998: 2 → to 1" in impact(page)
    expect(page.locator("#upload .removed dd")).to_have_text("1")
    expect(page.locator("#upload .kept dd")).to_have_text("1")
    left = page.get_by_role("region", name="Rows that would stay as they are")
    expect(left.get_by_role("link", name="8801")).to_be_visible()
    expect(left.get_by_role("link", name="see the upload")).to_be_visible()
    assert violations(page) == []

    page.get_by_role("button", name="Undo 1 row").press("Enter")
    expect_state(page, "Not all undone")
    undo = page.url
    expect(page.get_by_role("region", name="Rows that stayed as they were")).to_contain_text("8801")
    page.get_by_role("link", name="the upload", exact=True).click()
    expect(page).to_have_url(loaded)
    expect(page.get_by_text("has been undone since")).to_be_visible()
    page.get_by_role("link", name="an undo").click()
    expect(page).to_have_url(undo)

    page.get_by_role("button", name="See what it would do").click()
    expect_state(page, "Checked (dry run)")
    page.get_by_role("button", name="Undo 1 row").click()
    expect_state(page, "Undone")
    page.goto("/tables/hired_employees/8802")
    expect(page.locator(".history h3")).to_have_text(
        ["Brought back by an undo", "Removed by an undo", "Added by an upload"]
    )
    assert violations(page) == []


@only_on("embedded")
def test_a_row_tells_its_history_and_can_be_erased(page: Page) -> None:
    load(page, "jobs.csv", b"id,job\n920,Cook\n")
    load(page, "jobs.csv", b"id,job\n921,Baker\n920,Head cook\n")
    page.goto("/tables/jobs")
    page.get_by_label("Id").fill("920")
    page.keyboard.press("Enter")
    first = page.locator(".history li").first
    expect(first).to_contain_text("Changed by an upload")
    expect(first).to_contain_text("line 3 of its file")
    expect(first).to_contain_text("Cook")
    first.get_by_role("link", name="See the upload").click()
    expect_state(page, "Loaded")

    page.go_back()
    page.get_by_text("Erase this row everywhere").click()
    assert violations(page) == []
    page.get_by_label("Erase it for good").check()
    page.get_by_role("button", name="Erase").click()
    expect_state(page, "Erased")
    page.goto("/tables/jobs/920")
    expect(page.get_by_text("This row is no longer in the table.")).to_be_visible()
    expect(page.locator(".history")).not_to_contain_text("Head cook")
