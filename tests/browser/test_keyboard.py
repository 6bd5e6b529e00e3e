"""The main job with no mouse: sign in, send a file, correct what was rejected, sign out."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.choosing import done
from tests.browser.conftest import only_on
from tests.browser.site import ANA, PASSWORD
from tests.browser.states import expect_final

_MAX_STEPS = 60
# What a screen reader says of a file that is chosen, and of the rejected rows.
_SEEN = """
- table "The first rows of jobs.csv":
  - rowgroup:
    - row:
      - columnheader "Line"
      - columnheader "id Id":
        - combobox "What id is"
      - columnheader "Trade Job":
        - combobox "What Trade is"
  - rowgroup:
    - 'row "2 801 the cell is blank: Job is required"'
    - row "3 802 Cook"
"""
_READ_OUT = """
- table "Corrections":
  - rowgroup:
    - row "Line Id Job":
      - columnheader "Line"
      - columnheader "Id"
      - columnheader "Job"
  - rowgroup:
    - row "Job is blank 1 row":
      - rowheader "Job is blank 1 row"
    - row "2 801":
      - rowheader "2"
      - cell "801":
        - textbox "Id, line 2": "801"
      - cell:
        - textbox "Job, line 2" [invalid]
"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, which is to be seen."""
    for _ in range(_MAX_STEPS):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            outline = target.evaluate("(element) => getComputedStyle(element).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"the focus does not come to {target}")


@only_on("embedded")
def test_the_main_job_is_done_with_the_keyboard_alone(strangers_page: Page, tmp_path: Path) -> None:
    page, keys = strangers_page, strangers_page.keyboard
    # Who listens from the start gets every file chooser: Playwright does not wait until Chromium
    # has heard that it is to be asked.
    page.on("filechooser", lambda _: None)
    (tmp_path / "jobs.csv").write_bytes(b"id,Trade\n801,\n802,Cook\n")
    page.goto("/")
    expect(page.get_by_label("Email")).to_be_focused()
    keys.type(ANA)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_url("/")

    tab_to(page, page.get_by_role("link", name="Skip to the content"))
    keys.press("Enter")
    tab_to(page, page.locator("#files"))
    with page.expect_file_chooser() as chooser:
        keys.press("Space")
    chooser.value.set_files(tmp_path / "jobs.csv")
    meaning = page.get_by_label("What Trade is")
    expect(meaning).to_be_visible()
    tab_to(page, meaning)
    keys.type("Job")
    seen = page.get_by_role("table", name="The first rows of jobs.csv")
    expect(seen).to_match_aria_snapshot(_SEEN)
    expect(meaning).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Upload"))
    keys.press("Enter")
    # Each thing that is said of the file brings a new link.
    expect(done(page)).to_have_count(1)
    link = page.get_by_role("link", name="See the rejected rows")
    expect(link).to_be_visible()
    tab_to(page, link)
    keys.press("Enter")

    cell = page.get_by_label("Job, line 2")
    expect(cell).to_be_visible()
    expect(page.get_by_role("table", name="Corrections")).to_match_aria_snapshot(_READ_OUT)
    tab_to(page, cell)
    keys.type("Carpenter")
    # After the last row comes the button that sends.
    keys.press("Enter")
    expect(page.locator("#send-corrections")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_text("Corrects", exact=True)).to_be_visible()
    expect_final(page, "Loaded")

    tab_to(page, page.get_by_role("button", name="Sign out"))
    keys.press("Enter")
    page.wait_for_url("/login")
