"""Rejected rows corrected in the page as in a sheet, and how few clicks and keys that takes."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from embedded.client import Json
from tests.browser.axe import violations
from tests.browser.conftest import only_on
from tests.browser.site import Site
from tests.browser.states import expect_final

pytestmark = only_on("embedded")

# As many as the real file has of each, and what somebody knows the right values from.
BLANK = {"department_id": 21, "job_id": 16, "name": 19, "datetime": 14}
COLUMNS = ("id", "name", "datetime", "department_id", "job_id")
# Typed one by one, with a click for each cell, the same rows took 159.
MOST_ACTIONS = 25


@dataclass
class Hand:
    """What a person does on the page, counted: a click, a key, or a paste is one."""

    page: Page
    done: int = 0

    def click(self, target: Locator) -> None:
        """A click on it."""
        target.click()
        self.done += 1

    def press(self, *keys: str) -> None:
        """One key after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        self.done += len(keys)

    def paste(self, *lines: str) -> None:
        """What a sheet has put on the clipboard."""
        text = "".join(f"{line}\r\n" for line in lines)
        self.page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
        self.press("Control+v")


def open_rejects(page: Page, site: Site, content: str, *jobs: Json) -> Json:
    """Upload the hires, load those jobs only then, and show the page of the upload."""
    upload = site.ana.wait(site.ana.upload("hired_employees.csv", content.encode())["id"])
    if jobs:
        site.write_rows("jobs", [*jobs])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page.goto(f"/uploads/{upload['id']}")
    return upload


def group(page: Page, title: str) -> Locator:
    return page.locator("#corrections tbody").filter(has=page.locator(".cause", has_text=title))


def first_cell(page: Page, title: str) -> Locator:
    return group(page, title).locator("[aria-invalid=true]").first


def test_seventy_rows_are_corrected_in_fewer_than_25_clicks_and_keys(
    page: Page, site: Site
) -> None:
    departments = {row["department"]: str(row["id"]) for row in site.ana.rows("departments")}
    names = [*departments][:12]
    blank = [column for column, count in BLANK.items() for _ in range(count)]
    rows = [
        ["" if column == bad else value for column, value in zip(COLUMNS, row, strict=True)]
        for key, bad in enumerate(blank, start=60_001)
        for row in [(str(key), f"Person {key}", "2012-03-04T05:06:07Z", "1", "1")]
    ]
    upload = open_rejects(page, site, "".join(f"{','.join(row)}\n" for row in rows))
    assert upload["rows"]["rejected"] == 70

    hand = Hand(page)
    # A list with the names of the departments, one of them misspelt; the jobs by number.
    listed = [names[number % len(names)] for number in range(BLANK["department_id"])]
    hand.click(first_cell(page, "Department is blank"))
    hand.paste(listed[0].lower() + "s", *listed[1:])
    hand.click(page.get_by_role("button", name="Use all 21 suggestions"))
    for column, lines in {
        "Job": [str(number % 5 + 1) for number in range(BLANK["job_id"])],
        "Name": [f"Somebody {number}" for number in range(BLANK["name"])],
        "Datetime": [f"2012-05-{number + 1:02} 10:00" for number in range(BLANK["datetime"])],
    }.items():
        hand.click(first_cell(page, f"{column} is blank"))
        hand.paste(*lines)
        expect(group(page, f"{column} is blank").locator(".left")).to_have_text("all corrected")
    expect(page.locator("#corrected")).to_contain_text("70 corrected, 0 left.")
    assert violations(page) == []
    hand.click(page.get_by_role("button", name="Send the 70 corrected rows"))

    page.wait_for_url(lambda url: not url.endswith(upload["id"]))
    expect_final(page, "Loaded")
    corrected = site.ana.get_upload(page.url.rpartition("/")[2])
    assert corrected["rows"] == {**corrected["rows"], "read": 70, "inserted": 70, "rejected": 0}
    loaded = {row["id"]: row for row in site.ana.rows("hired_employees") if row["id"] > 60_000}
    assert [loaded[key]["department_id"] for key in range(60_001, 60_022)] == [
        int(departments[name]) for name in listed
    ]
    assert loaded[60_038]["name"] == "Somebody 0"
    print(f"{hand.done} clicks, keys and pastes")
    assert hand.done < MOST_ACTIONS


def test_a_sheet_is_filled_searched_undone_and_checked(page: Page, site: Site) -> None:
    upload = open_rejects(
        page,
        site,
        "".join(f"{key},Ana,2012-01-01,,1\n" for key in (61_001, 61_002, 61_003))
        + "61004,Ana,1/13/2012,1,1\n61005,Ana,2012-01-01,1,999\n61006,Ana,2012-01-01,1,998\n"
        "61007,Ana,2012-01-01,1,1\n61007,Bo,2012-01-01,1,1\n61008,Ana,2012-01-01,1,61000\n",
        {"id": 61_000, "job": "Beekeeper"},
    )
    hand, told = Hand(page), page.locator("#corrected")
    blank = "Department is blank"

    # What was missing is there by now.
    expect(told).to_have_text("1 corrected, 7 left.")

    # One department for all rows of the cause, by its name.
    hand.click(group(page, blank).get_by_label("Set all to"))
    expect(page.get_by_role("listbox")).to_be_visible()
    name = site.ana.rows("departments")[4]["department"]
    page.keyboard.type(name.lower())
    expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text(name)
    hand.press("Enter")
    expect(told).to_contain_text("3 rows set to")
    cells = group(page, blank).locator("input[aria-label^=Department]")
    expect(cells.nth(2)).to_have_value("5")
    expect(group(page, blank).locator("tr.corrected")).to_have_count(3)
    page.get_by_role("button", name="Undo the last correction").click()
    expect(cells.nth(2)).to_have_value("")

    # Down by a key, a name typed into a cell, and more lines pasted than there are rows.
    cells.first.click()
    page.keyboard.type(name)
    expect(page.get_by_role("listbox")).to_be_visible()
    hand.press("Enter")
    expect(cells.first).to_have_value("5")
    hand.press("Enter")
    expect(cells.nth(1)).to_be_focused()
    hand.paste("2\tx", "3\ty", "4", "5")
    expect(told).to_contain_text("2 lines were pasted. 2 more had no row of this cause left")
    expect(cells.nth(2)).to_have_value("3")
    wrong = group(page, blank).get_by_label("Job, line 3")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    hand.press("Control+z")
    expect(wrong).to_have_value("1")
    hand.press("Control+Shift+z", "Control+z")
    expect(cells.nth(1)).to_have_value("")

    # What is typed is checked, and asked about.
    page.get_by_role("button", name="13 January 2012").click()
    expect(page.get_by_label("Datetime, line 4")).to_have_value("2012-01-13T00:00:00Z")

    page.get_by_text("Find and replace").click()
    page.get_by_label("Find").fill("99")
    expect(page.locator("#replaceable")).to_have_text("In 2 cells.")
    page.get_by_label("Replace with").fill("1")
    page.get_by_role("button", name="Replace all").click()
    expect(told).to_contain_text("2 cells were replaced.")
    expect(page.get_by_label("Job, line 5")).to_have_value("19")

    page.get_by_label("replace the row that has it").check()

    # Rows that would be rejected again are not sent by mistake.
    cells.nth(1).fill("77777")
    page.locator("#send-corrections").click()
    expect(cells.nth(1)).to_be_focused()
    expect(told).to_contain_text("1 row would be rejected again")
    expect(page.locator(".fault", has_text="departments has no 77777")).to_be_visible()
    hand.press("Escape")
    expect(cells.nth(1)).to_have_value("77777")
    cells.nth(1).fill("")
    assert violations(page) == []
    page.locator("#send-corrections").click()
    page.wait_for_url(lambda url: not url.endswith(upload["id"]))
    expect_final(page, "Loaded")
    loaded = {row["id"]: row for row in site.ana.rows("hired_employees")}
    assert (loaded[61_007]["name"], loaded[61_008]["job_id"]) == ("Bo", 61_000)
    assert (loaded[61_001]["department_id"], 61_002 in loaded) == (5, False)
