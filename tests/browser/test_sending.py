"""Files are chosen or dropped, told how to be read, and sent; what the way takes is shown."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from embedded.client import Json
from tests.browser.choosing import choose, chosen, csv_file, done, drop, see, send, sent
from tests.browser.conftest import only_on
from tests.browser.site import ANA, Site
from tests.browser.slow import slow_network
from tests.e2e.waiting import wait_until
from tests.servers.cutting import EveryCutter

# Half a megabyte.
MANY_JOBS = "".join(f"{number},Job {number}\n" for number in range(10_000, 40_000)).encode()


def value_of(progress: Locator) -> float:
    return float(progress.evaluate("(bar) => bar.value"))


def newest(site: Site) -> Json:
    return site.ana.wait(site.ana.uploads()[0]["id"])


def test_files_can_be_dropped(page: Page, site: Site, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_bytes(b"301,Cooper\n")
    (tmp_path / "departments.csv").write_bytes(b"301,Cellar\n")
    page.goto("/")
    drop(page, page.locator("#drop"), [tmp_path / "jobs.csv", tmp_path / "departments.csv"])
    names = chosen(page).locator("[data-part=name]")
    expect(names).to_have_text(["departments.csv", "jobs.csv"])
    send(page)
    expect(done(page)).to_have_count(2)
    assert newest(site)["rows"]["inserted"] == 1


@only_on("embedded")
def test_a_file_that_falls_beside_does_not_replace_the_page(page: Page, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_bytes(b"302,Cook\n")
    page.goto("/")
    drop(page, page.locator("h1"), [tmp_path / "jobs.csv"])
    expect(page.get_by_role("heading", name="Uploads", exact=True)).to_be_visible()
    assert page.url.endswith("/")


def test_a_file_of_any_name_is_sent_to_the_table_that_is_chosen(page: Page, site: Site) -> None:
    page.goto("/")
    choose(page, csv_file("people of 2021.csv", b"303,Brewery\n"))
    send(page)
    # The browser wants a table first.
    expect(chosen(page).locator("select:invalid")).to_have_count(1)
    chosen(page).get_by_label("Table").select_option(label="Departments")
    send(page)
    expect(done(page)).to_have_count(1)
    sent = newest(site)
    assert (sent["filename"], sent["table"]) == ("people of 2021.csv", "departments")


def test_all_options_reach_the_loader(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_text("Options").click()
    page.get_by_label("A row whose id").select_option("insert")
    page.get_by_label("Load nothing if more rows are rejected than").fill("3")
    page.get_by_label("First line").select_option("absent")
    page.get_by_label("Cells are separated by").select_option(";")
    page.get_by_label("Dates such as").select_option("dmy")
    page.get_by_label("Encoding").fill("cp1252")
    choose(page, csv_file("departments.csv", "304;Küche\n".encode("cp1252")))
    send(page)
    expect(done(page)).to_have_count(1)
    sent = newest(site)
    assert sent["rows"]["inserted"] == 1
    assert sent["options"] == {
        "mode": "insert",
        "max_rejects": 3,
        "expect_rows": None,
        "max_inserted": None,
        "max_updated": None,
        "sheet": None,
        "dry_run": False,
        "header": "absent",
        "delimiter": ";",
        "encoding": "cp1252",
        "columns": "",
        "dates": "dmy",
    }
    assert {"id": 304, "department": "Küche"} in site.ana.rows("departments")


def test_what_looks_wrong_is_told_beside_the_file_and_on_its_page(page: Page) -> None:
    page.goto("/")
    text = "Departments of 2021\nid,department\n306,'Stores'\n307,CafÃ©\n"
    choose(page, csv_file("departments.csv", text.encode()))
    send(page)
    expect(chosen(page)).to_contain_text("2 rows: 2 loaded. Please check: 3 warnings.")
    see(page)
    told = page.get_by_role("region", name="Please check").get_by_role("listitem")
    expect(told).to_have_count(3)
    expect(told.nth(0)).to_contain_text('Line 1: "Departments of 2021" was skipped')
    expect(told.nth(1)).to_contain_text("Line 3: Department \"'Stores'\" keeps its")
    expect(told.nth(2)).to_contain_text('Line 4: Department "CafÃ©" looks like "Café"')


def test_a_dry_run_is_checked_and_loads_nothing(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_role("checkbox", name="Dry run").check()
    choose(page, csv_file("departments.csv", b"305,Nowhere\n,Nobody\n"))
    send(page)
    see(page)
    expect(page.locator("#upload .badge").first).to_have_text("Checked (dry run)")
    expect(page.locator("#upload")).to_contain_text("Nothing was loaded")
    expect(page.get_by_role("heading", name="Corrections")).to_be_visible()
    assert all(row["id"] != 305 for row in site.ana.rows("departments"))


@only_on("embedded")
def test_a_chosen_file_can_be_taken_back(page: Page) -> None:
    page.goto("/")
    choose(page, csv_file("jobs.csv", b"306,Baker\n"))
    page.get_by_role("button", name="Remove jobs.csv").click()
    expect(chosen(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Upload")).to_be_disabled()
    expect(page.locator("#files")).to_be_focused()


@only_on("embedded")
def test_the_way_of_a_file_is_shown(page: Page, site: Site) -> None:
    page.goto("/")
    # Slow enough for a busy machine to see half of it sent.
    with slow_network(page, bytes_per_second=10_000):
        choose(page, csv_file("jobs.csv", MANY_JOBS))
        page.get_by_role("checkbox", name="Dry run").check()
        send(page)
        progress = chosen(page).get_by_role("progressbar")
        expect(progress).to_have_accessible_name("Sent")
        expect(progress).to_be_visible()
        wait_until(lambda: 0 < value_of(progress) < 1)
    expect(sent(page)).to_have_count(1)
    expect(progress).to_be_hidden()
    expect(done(page)).to_contain_text("30,000 rows")


@only_on("embedded")
def test_a_file_on_its_way_can_be_stopped(page: Page, site: Site) -> None:
    before = len(site.ana.uploads())
    page.goto("/")
    with slow_network(page, bytes_per_second=5_000):
        choose(page, csv_file("jobs.csv", MANY_JOBS))
        send(page)
        page.get_by_role("button", name="Stop jobs.csv").click()
        expect(chosen(page)).to_contain_text("Stopped.")
    assert len(site.ana.uploads()) == before


@only_on("embedded")
def test_a_file_whose_way_broke_off_is_sent_again_as_the_same_upload(page: Page) -> None:
    keys: list[str | None] = []
    is_told = False

    def take(route: Route) -> None:
        keys.append(route.request.header_value("Idempotency-Key"))
        if is_told:
            route.continue_()
        else:
            route.abort()

    page.route("/v1/uploads?*", take)
    page.goto("/")
    choose(page, csv_file("jobs.csv", b"308,Potter\n"))
    send(page)
    expect(chosen(page)).to_contain_text(re.compile(r"Trying again in \d+ s\."))
    is_told = True
    expect(done(page)).to_contain_text("1 row: 1 loaded.")
    assert len(keys) >= 2
    assert len(set(keys)) == 1


@only_on("embedded")
def test_a_large_file_goes_on_where_its_way_was_cut(site: Site) -> None:
    before = len(site.ana.uploads())
    jobs = "".join(f"{number},Job {number}\n" for number in range(10_000, 70_000)).encode()
    with (
        # A preview gets through.
        EveryCutter(urlsplit(site.url).port or 0, every=500_000) as cutter,
        site.open_page(ANA, f"http://127.0.0.1:{cutter.port}") as page,
    ):
        page.goto(f"http://127.0.0.1:{cutter.port}/")
        page.locator("#send").evaluate("(form) => { form.dataset.whole = '100000'; }")
        choose(page, csv_file("jobs.csv", jobs))
        expect(chosen(page).locator(".found")).to_be_visible()
        page.get_by_role("checkbox", name="Dry run").check()
        offsets: list[int] = []
        page.on("request", lambda request: offsets.extend(_offset_of(request)))
        send(page)
        expect(done(page)).to_contain_text("60,000 rows")
    # From its beginning it would never have arrived.
    assert len(offsets) > 1
    assert offsets == sorted({0, *offsets})
    assert len(site.ana.uploads()) == before + 1


def _offset_of(request: Request) -> list[int]:
    """Where the part begins, if the request sends one."""
    return [int(request.headers["upload-offset"])] if request.method == "PATCH" else []


def test_without_scripts_a_file_is_sent_and_followed(site: Site) -> None:
    with site.open_page(ANA, scripts=False) as page:
        page.goto("/")
        page.get_by_label("CSV file", exact=True).set_input_files(
            [csv_file("jobs.csv", b"307,Diver\n")]
        )
        page.get_by_role("button", name="Upload").click()
        # The page of an upload that is not final comes again by itself.
        expect(page.locator("#upload .badge")).to_have_text("Loaded")
    assert {"id": 307, "job": "Diver"} in site.ana.rows("jobs")


@pytest.mark.parametrize("name", ["departments.csv.gz", "DEPARTMENTS.CSV"])
def test_the_table_is_found_by_the_name(page: Page, name: str) -> None:
    page.goto("/")
    choose(page, csv_file(name, b""))
    expect(chosen(page).get_by_label("Table")).to_have_value("departments")
