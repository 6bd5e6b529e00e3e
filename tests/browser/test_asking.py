"""The tables, browsed; and the questions about hiring, as numbers, pictures and files."""

from base64 import b64encode
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

YEAR = 2021
# Rows on one page of a table.
COUNT = 50


def test_a_table_can_be_browsed_and_begun_anew(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_role("link", name="Tables").click()
    page.get_by_role("link", name="Hired employees").first.click()
    expected = [str(row["id"]) for row in site.ana.rows("hired_employees")]
    ids = page.locator("tbody td:first-child")
    expect(ids).to_have_text(expected[:COUNT])
    page.get_by_role("link", name="Next rows").click()
    expect(ids).to_have_text(expected[COUNT : 2 * COUNT])
    page.get_by_role("link", name="First rows").click()
    expect(ids).to_have_text(expected[:COUNT])


def test_a_table_can_be_browsed_to_its_end(page: Page, site: Site) -> None:
    expected = [str(row["id"]) for row in site.ana.rows("hired_employees")][-COUNT - 2 :]
    # As the page names the key after which it goes on.
    cursor = b64encode(expected.pop(0).encode()).decode().rstrip("=")
    page.goto(f"/tables/hired_employees?cursor={cursor}")
    ids = page.locator("tbody td:first-child")
    expect(ids).to_have_text(expected[:COUNT])
    page.get_by_role("link", name="Next rows").click()
    expect(ids).to_have_text(expected[COUNT:])
    expect(page.get_by_role("link", name="Next rows")).to_have_count(0)


@pytest.mark.parametrize("table", ["Departments", "Jobs"])
def test_the_other_tables(page: Page, site: Site, table: str) -> None:
    page.goto("/tables")
    page.get_by_role("link", name=table, exact=True).first.click()
    first = site.ana.rows(table.lower())[0]
    cells = page.locator("tbody tr").first.locator("td")
    expect(cells).to_have_text([str(value) for value in first.values()])


def test_the_years_with_hires_are_there_to_pick(page: Page) -> None:
    page.goto("/questions")
    page.get_by_role("link", name=str(YEAR), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hiring in {YEAR}")
    page.get_by_label("Year").fill("1999")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("Nobody was hired in 1999")


def test_hires_by_quarter_are_a_heat_map_that_can_be_read(page: Page, site: Site) -> None:
    page.goto(f"/questions?year={YEAR}")
    expected: dict[str, list[int]] = {}
    for row in site.ana.query("hires-by-quarter", YEAR)["rows"]:
        sums = expected.setdefault(row["department"], [0] * 4)
        for quarter in range(4):
            sums[quarter] += row[f"q{quarter + 1}"]
    most = max(max(sums) for sums in expected.values())
    rows = page.locator(".heat tbody tr")
    expect(rows.locator("th")).to_have_text(list(expected))
    numbers = [[*sums, sum(sums)] for sums in expected.values()]
    expect(rows.locator("td")).to_have_text([str(number) for row in numbers for number in row])
    for index, sums in enumerate(expected.values()):
        if most in sums:
            cell = rows.nth(index).locator("td").nth(sums.index(most))
            expect(cell).to_have_class("number shade6")


def test_each_department_and_job_has_its_row(page: Page, site: Site) -> None:
    page.goto(f"/questions?year={YEAR}")
    answer = site.ana.query("hires-by-quarter", YEAR)["rows"]
    department = answer[0]["department"]
    page.locator(".heat").get_by_role("link", name=department, exact=True).click()
    expect(page.locator("#jobs-title")).to_contain_text(department)
    cells = page.get_by_role("region", name="By department and job").locator("tbody td")
    rows = [row for row in answer if row["department"] == department]
    expect(cells).to_have_text([str(value) for row in rows for value in row.values()])


def test_departments_above_the_mean_have_bars_and_numbers(page: Page, site: Site) -> None:
    page.goto(f"/questions?year={YEAR}")
    answer = site.ana.query("departments-above-mean", YEAR)
    section = page.locator("section", has=page.get_by_role("heading", name="above the mean"))
    expect(section).to_contain_text(f"{answer['mean']:,.2f}")
    texts = section.locator("tbody").inner_text()
    for row in answer["rows"]:
        assert row["department"] in texts
        assert str(row["hired"]) in texts
    expect(section.locator("svg rect")).to_have_count(len(answer["rows"]))


@pytest.mark.parametrize(
    ("question", "link"),
    [("departments-above-mean", "Download as CSV"), ("hires-by-quarter", "Download all as CSV")],
)
def test_answers_can_be_had_as_files(page: Page, site: Site, question: str, link: str) -> None:
    page.goto(f"/questions?year={YEAR}")
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    assert download.value.suggested_filename == f"{question}-{YEAR}.csv"
    answer = site.ana.session.get(
        f"{site.url}/v1/queries/{question}", params={"year": YEAR}, headers={"Accept": "text/csv"}
    )
    assert Path(download.value.path()).read_bytes() == answer.content


def test_rows_are_searched_sorted_and_had_as_a_file(page: Page, site: Site) -> None:
    hires = site.ana.rows("hired_employees")
    [department] = [
        row for row in site.ana.rows("departments") if row["id"] == hires[0]["department_id"]
    ]
    begins = hires[0]["name"][:2]
    wanted = [
        row
        for row in hires
        if row["name"].lower().startswith(begins.lower())
        and row["department_id"] == department["id"]
    ]
    page.goto("/tables/hired_employees")
    page.get_by_label("Name begins with").fill(begins.upper())
    page.get_by_label("Department").select_option(label=department["department"])
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#count")).to_have_text(
        "1 row" if len(wanted) == 1 else f"{len(wanted)} rows"
    )
    page.get_by_role("columnheader", name="Id").get_by_role("link").click()
    keys = [str(row["id"]) for row in wanted][::-1]
    expect(page.locator("tbody td:first-child")).to_have_text(keys[:COUNT])
    expect(page.locator("tbody tr").first).to_contain_text(department["department"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them as CSV").click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == keys


def test_what_a_dry_run_checked_is_loaded_by_one_button(page: Page, site: Site) -> None:
    dry_run = site.ana.upload("jobs.csv", b"7301,Cooper\n", dry_run="true")
    site.ana.wait(dry_run["id"])
    page.goto(f"/uploads/{dry_run['id']}")
    page.get_by_role("button", name="Load it now").click()
    expect(page.locator("#upload .badge").first).to_have_text("Loaded")
    assert {"id": 7301, "job": "Cooper"} in site.ana.rows("jobs")
