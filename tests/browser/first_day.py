"""The first things done on a new site: the empty pages looked at, then the sample files sent."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from embedded.client import Client, Json

SAMPLES = Path(__file__).parents[2] / "samples"
# As somebody may choose them: not in the order in which they have to be sent.
CHOSEN = ["hired_employees.csv", "departments.csv", "jobs.csv"]
EMPTY = ["/", "/tables/departments", "/tables/hired_employees", "/questions"]


@dataclass(frozen=True)
class FirstDay:
    """What the empty pages said, by path, and the uploads, in the order in which they were sent.

    `listed` are the rows of the list as the page showed them in the end, newest first.
    """

    said: dict[str, str]
    uploads: list[Json]
    listed: list[str]


def spend_first_day(page: Page, client: Client, samples: Path = SAMPLES) -> FirstDay:
    """Look at the empty pages, and upload the three files of `samples` through the first one."""
    said = {}
    for path in EMPTY:
        page.goto(path)
        said[path] = page.locator("main").inner_text()
    page.goto("/")
    page.locator("#files").set_input_files([samples / name for name in CHOSEN])
    page.get_by_role("button", name="Upload").click()
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(len(CHOSEN))
    expect(page.locator("#rows .badge", has_text="Loaded")).to_have_count(len(CHOSEN))
    uploads = client.uploads()[::-1]
    return FirstDay(said, [client.wait(each["id"]) for each in uploads], rows.all_inner_texts())
