"""What the page shows of a file before it is sent, and what people tell it there."""

import pytest
from playwright.sync_api import Locator, Page, expect

from embedded.client import Json
from muster.contracts.tables import tables
from tests.browser.choosing import choose, chosen, csv_file, done, send
from tests.browser.conftest import only_on
from tests.browser.first_day import FirstDay
from tests.browser.site import Site
from tests.browser.spreadsheets import LABELS, OWN_LABELS, as_text, as_workbook
from tests.browser.test_keyboard import tab_to


def item(page: Page, name: str) -> Locator:
    return chosen(page).filter(has_text=name)


def problems(place: Locator) -> Locator:
    return place.locator(".problems li")


def meant_by_ourselves(table: str) -> str:
    cells = [
        f"{label}:{column}" for label, column in zip(OWN_LABELS[table], LABELS[table], strict=True)
    ]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def first_counts(day: FirstDay) -> dict[str, tuple[int, int]]:
    """By table, the rows of its sample that were loaded, and those that were rejected."""
    return {
        each["table"]: (each["rows"]["inserted"], each["rows"]["rejected"]) for each in day.uploads
    }


def counts(upload: Json) -> tuple[int, int]:
    """The rows that are there already with the same values, and those that were rejected."""
    rows = upload["rows"]
    assert rows["inserted"] == rows["updated"] == 0
    return rows["unchanged"], rows["rejected"]


@pytest.mark.parametrize("form", ["workbook", "semicolons", "tabs", "own labels"])
def test_by_the_api_each_form_of_the_samples_is_the_same(
    site: Site, first_day: FirstDay, form: str
) -> None:
    for table in tables():
        options: dict[str, str] = {"table": table}
        match form:
            case "workbook":
                name, content = "book.xlsx", as_workbook(table, LABELS[table])
            case "semicolons":
                options["encoding"] = "windows-1252"
                name, content = "export.csv", as_text(table, LABELS[table], ";", "cp1252")
            case "tabs":
                name, content = "cells.txt", as_text(table, LABELS[table], "\t", "utf-8")
            case _:
                options["columns"] = meant_by_ourselves(table)
                name, content = "own.csv", as_text(table, OWN_LABELS[table], ",", "utf-8")
        answer = site.ana.session.post(
            f"{site.url}/v1/uploads/preview",
            params={"filename": name, **options},
            data=content[:262_144] if not name.endswith("xlsx") else content,
            headers={"Content-Type": "text/csv"},
        )
        answer.raise_for_status()
        seen = answer.json()
        assert [column["column"] for column in seen["columns"]] == list(LABELS[table])
        assert [each for each in seen["problems"] if each["fails"]] == []
        upload = site.ana.wait(site.ana.upload(name, content, **options)["id"])
        assert counts(upload) == first_counts(first_day)[table]


@only_on("embedded")
def test_on_the_page_workbooks_with_ones_own_labels_are_told_about_once(
    page: Page, site: Site, first_day: FirstDay
) -> None:
    page.goto("/")
    files = {f"{table} Q3.xlsx": table for table in tables()}
    sheets: list[tuple[str, bytes]] = [
        (name, as_workbook(table, OWN_LABELS[table])) for name, table in files.items()
    ]
    choose(page, *(csv_file(name, content) for name, content in sheets))
    for name, table in files.items():
        place = item(page, name)
        # The first sheet is of other things.
        expect(problems(place)).to_have_count(1)
        expect(problems(place)).to_contain_text("Choose below what each of them is")
        place.get_by_label("Sheet").select_option("Data")
        for label, column in zip(OWN_LABELS[table], LABELS[table], strict=True):
            place.get_by_label(f"What {label} is", exact=True).select_option(column)
        expect(place.locator("[data-part=rows] tbody tr")).to_have_count(5)
        expect(place.locator(".problems .complaint")).to_have_count(0)
    hired = item(page, "hired_employees")
    expect(hired.locator("tbody tr").first).to_contain_text("2021-07-15 21:17:11 UTC")
    # A row of the first five has no department.
    expect(problems(hired).first).to_contain_text("would be rejected for Bereich, Nr.")
    expect(problems(hired).first).to_contain_text("is blank: Department is required")
    send(page)
    expect(done(page)).to_have_count(3)
    newest = [site.ana.wait(each["id"]) for each in site.ana.uploads()[:3]]
    assert {each["table"]: counts(each) for each in newest} == first_counts(first_day)

    page.reload()
    choose(page, csv_file("jobs Q4.csv", as_text("jobs", OWN_LABELS["jobs"], ";", "cp1252")))
    again = item(page, "jobs Q4.csv")
    expect(again).to_contain_text("as you chose them before, for a file with the same names")
    expect(problems(again)).to_have_count(0)
    again.get_by_role("button", name="Choose again").click()
    expect(problems(again)).to_contain_text("Muster does not know these columns")
    send(page)
    # What is not told yet is asked for, and nothing is sent.
    expect(again.locator("select:invalid")).to_have_count(2)
    expect(done(page)).to_have_count(0)


NAMES = {1: "José Núñez", 2: "Zoë Grün", 3: "François Lœuillet"}


@only_on("embedded")
def test_names_in_windows_1252_stay_as_they_are_written(page: Page, site: Site) -> None:
    def file(first: int) -> bytes:
        rows = [f"{first + key},{name},2021-07-27,1,1\n" for key, name in NAMES.items()]
        return "".join([*rows, f"{first},Ángela Ibáñez,2021-07-27,,1\n"]).encode("cp1252")

    page.goto("/")
    choose(page, csv_file("hired_employees.csv", file(9520)))
    expect(problems(chosen(page)).first).to_contain_text("windows-1252")
    chosen(page).get_by_label("The text is in").select_option("windows-1252")
    expect(chosen(page).locator("[data-part=rows]")).to_contain_text(NAMES[1])
    send(page)
    expect(done(page)).to_have_count(1)
    by_api = site.ana.upload("hired_employees.csv", file(9530), encoding="windows-1252")
    by_page = site.ana.uploads()[1]
    for upload in by_api, by_page:
        rows = site.ana.wait(upload["id"])["rows"]
        assert (rows["inserted"], rows["rejected"]) == (3, 1)
        assert [each["name"] for each in site.ana.rejects(upload["id"])] == ["Ángela Ibáñez"]
    loaded = {row["id"]: row["name"] for row in site.ana.rows("hired_employees")}
    for first in 9520, 9530:
        assert {key: loaded[first + key] for key in NAMES} == NAMES
    page.goto(f"/uploads/{by_page['id']}")
    expect(page.get_by_label("Name, line 4")).to_have_value("Ángela Ibáñez")


HEADER = "id,name,hired on,department_id,job_id\n"
DATES = f"{HEADER}9501,José,07/11/2021 16:02,1,1\n9502,Bo,27/07/2021,1,1\n".encode("cp1252")


@only_on("embedded")
def test_dates_and_encodings_are_asked_for_and_never_guessed(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_role("checkbox", name="Dry run").check()
    choose(page, csv_file("hired_employees.csv", DATES))
    place = chosen(page)
    expect(problems(place).nth(0)).to_contain_text("does not say whether the day or the month")
    expect(problems(place).nth(1)).to_contain_text("windows-1252")
    # By the keyboard alone: the choice keeps the focus while the file is looked at again.
    encoding = place.get_by_label("The text is in")
    encoding.focus()
    page.keyboard.type("windows-1252")
    readings = place.get_by_role("group", name="Both readings of the dates in hired on")
    expect(readings.get_by_role("row").nth(1)).to_contain_text("2021-11-07 16:02:00 UTC")
    expect(readings.get_by_role("row").nth(1)).to_contain_text("2021-07-11 16:02:00 UTC")
    expect(readings.get_by_role("row").nth(2)).to_contain_text("no date")
    expect(encoding).to_be_focused()
    tab_to(page, place.get_by_label("Dates in hired on, such as 07/11"))
    page.keyboard.type("the day")
    expect(place.locator("[data-part=rows]")).to_contain_text("2021-07-27 00:00:00 UTC")
    expect(place.locator("[data-part=rows]")).to_contain_text("José")
    expect(problems(place)).to_have_count(0)
    send(page)
    expect(done(page)).to_contain_text("2 rows: 2 would be loaded.")
    options = site.ana.uploads()[0]["options"]
    assert (options["dates"], options["encoding"]) == ("dmy", "windows-1252")


@only_on("embedded")
def test_cells_are_pasted_and_templates_downloaded(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_text("Paste cells, or begin with a template").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Jobs", exact=True).click()
    assert download.value.suggested_filename == "jobs.csv"
    assert download.value.path().read_text("utf-8-sig") == "id,job\n"
    page.get_by_label("Cells copied from a sheet").fill("id\tjob\n9511\tGlazier\n9512\tTiler\n")
    page.get_by_role("button", name="Use these cells").click()
    table = chosen(page).get_by_label("Table")
    expect(table).to_be_focused()
    table.select_option("jobs")
    expect(chosen(page)).to_contain_text("Read as: tabs between the cells")
    send(page)
    expect(done(page)).to_contain_text("2 rows: 2 loaded.")
    assert site.ana.uploads()[0]["filename"] == "pasted cells.tsv"


@only_on("embedded")
def test_where_there_is_no_preview_the_file_is_sent_all_the_same(page: Page, site: Site) -> None:
    page.route("/v1/uploads/preview?*", lambda route: route.fulfill(status=503, body="{}"))
    page.goto("/")
    choose(page, csv_file("jobs.csv", b"9513,Thatcher\n"))
    expect(chosen(page)).to_contain_text("It is checked when it is sent.")
    send(page)
    expect(done(page)).to_contain_text("1 row: 1 loaded.")
    assert {"id": 9513, "job": "Thatcher"} in site.ana.rows("jobs")


SEVEN = b"Nr;Who;hired on;Dept;Job;Remarks;_note\n9501;Ana;2021-07-27;2;3;new;x\n"
# Whether the select is as wide as its longest choice needs.
SHOWS_ALL = """(select) => {
  const free = select.cloneNode(true);
  Object.assign(free.style, {position: "absolute", width: "auto", maxWidth: "none"});
  select.after(free);
  const needed = free.offsetWidth;
  free.remove();
  return needed <= select.offsetWidth;
}"""


@only_on("embedded")
def test_seven_columns_fit_a_desk_and_no_choice_is_cut_on_a_phone(page: Page) -> None:
    page.goto("/")
    choose(page, csv_file("hired_employees.csv", SEVEN))
    place = chosen(page)
    rows = place.locator("[data-part=rows]")
    expect(rows.locator("select").first).to_be_visible()
    page.set_viewport_size({"width": 1440, "height": 1000})
    assert rows.evaluate("(place) => place.scrollWidth <= place.clientWidth")
    page.set_viewport_size({"width": 360, "height": 1000})
    shown = place.locator("select:visible").all()
    assert len(shown) == 7
    assert [select.evaluate(SHOWS_ALL) for select in shown] == [True] * 7
