"""Every view of the page, in the states that look different: to be checked, and to be drawn."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import psutil
from playwright.sync_api import Page, expect

from tests.browser.choosing import choose, chosen, csv_file, send
from tests.browser.first_day import FirstDay
from tests.browser.site import ADMIN, ANA, NEW, Site, sign_in
from tests.browser.states import expect_final
from tests.e2e.pausing import paused
from tests.e2e.waiting import wait_until

# A phone, a small window, and a desk.
WIDTHS = (360, 800, 1440)
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
HEIGHT = 1000


@dataclass(frozen=True)
class View:
    """A page as `email` sees it once `show` is done, while the process `paused` stands still."""

    email: str | None
    show: Callable[[Page, Site, FirstDay], object]
    paused: str | None = None


def _at(path: str) -> Callable[[Page, Site, FirstDay], object]:
    return lambda page, _site, _day: page.goto(path)


def _link_not_valid(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/new-password#no-link")
    for label in ("New password", "New password again"):
        page.get_by_label(label, exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Set my password").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_be_visible()


def _key_made(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/account/keys")
    page.get_by_label("Name").fill("nightly load")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#new-key")).to_contain_text("muster_")


def _webhook_refused(page: Page, site: Site, _day: FirstDay) -> None:
    site.add_webhook(site.ana, "https://hooks.example.com/muster", "the payroll script")
    page.goto("/account/webhooks")
    page.get_by_label("URL").fill("https://127.0.0.2/muster")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text("not an address that a webhook may call")).to_be_visible()


def _webhook(page: Page, site: Site, _day: FirstDay) -> None:
    # Nobody listens there.
    webhook = site.add_webhook(site.ana, "http://127.0.0.1:9/muster", "the payroll script")
    page.goto(f"/account/webhooks/{webhook}")
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("[data-part=reason]")).to_contain_text("refused")
    site.ana.wait_for_email(site.ana.upload("jobs.csv", b"1,Cook\n")["id"])
    page.get_by_text("Give it a new secret").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.locator("#secret")).to_contain_text("whsec_")


def _wrong_password(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/")
    sign_in(page, ANA, "wrong")
    expect(page.get_by_role("alert").filter(visible=True)).to_be_visible()


def _files_sent(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/")
    page.get_by_text("Options").click()
    choose(
        page,
        csv_file("jobs.csv", b"%PDF-1.7\n"),
        csv_file("departments.csv", b"99,Archive\n,Nobody\n"),
        csv_file("hired_employees.csv", b""),
    )
    send(page)
    expect(chosen(page).locator(".complaint").first).to_be_visible()


def _seen_before(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/")
    own = (
        "Nr;Who;hired on;Dept;Job;Remarks;_note\n"
        "1;Ana Müller;27/07/2021;2;3;new;x\n"
        "2;Bo;07/11/2021;x;;;\n"
    )
    choose(
        page,
        csv_file("jobs.csv", b"Jobs of 2021\nid,job\n1,Cook\n,Baker\n"),
        csv_file("hired_employees.csv", own.encode("cp1252")),
    )
    expect(chosen(page).locator(".found")).to_have_count(2)


def _pasted(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/")
    page.get_by_text("Paste cells").click()
    page.get_by_label("Cells copied").fill("id\tdepartment\n901\tArchive\n\tNobody")
    page.get_by_role("button", name="Use these cells").click()
    chosen(page).get_by_label("Table").select_option("departments")
    expect(chosen(page).locator(".found")).to_be_visible()


def _sending(page: Page, _site: Site, _day: FirstDay) -> None:
    page.route("**/v1/uploads?*", lambda _: None)
    page.goto("/")
    choose(page, csv_file("jobs.csv", b"1,Cook\n"))
    send(page)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def _following(page: Page, site: Site, _day: FirstDay) -> None:
    page.goto(f"/uploads/{site.ana.upload('jobs.csv', b'1,Cook')['id']}")


def _with_rejects(page: Page, _site: Site, day: FirstDay) -> None:
    page.goto(f"/uploads/{day.uploads[-1]['id']}")


def _corrected(page: Page, site: Site, _day: FirstDay) -> None:
    rows = (
        "id,name,datetime,department_id,job_id\n"
        "9501,,2021-07-27,1,1\n"
        "9502,Ana,27/07/2021,Enginering,1\n"
        "9503,Bo,2021-13-01,999,1\n"
        "9504,Cy,2021-07-27,1\n"
        "9505,Di,2021-07-27,,1\n"
        "9506,Ed,2021-07-27,,1\n"
        "9507,Flo,2021-07-27,1,1\n"
        "9507,Flora,2021-07-27,1,1\n"
    )
    page.goto(f"/uploads/{_ended(site, 'hired_employees.csv', rows.encode())}")
    page.get_by_role("textbox", name="Name, line 2").fill("Zoe")
    expect(page.get_by_text("1 corrected")).to_be_visible()


def _ended(site: Site, filename: str, content: bytes, **options: str) -> object:
    """The id of an upload of Ana's that has ended."""
    return site.ana.wait(site.ana.upload(filename, content, **options)["id"])["id"]


def _loaded(page: Page, site: Site, _day: FirstDay) -> None:
    key = max(row["id"] for row in site.ana.rows("jobs")) + 1
    page.goto(f"/uploads/{_ended(site, 'jobs.csv', f'{key},Cook'.encode())}")
    expect_final(page, "Loaded")


def _nothing_loaded(page: Page, site: Site, _day: FirstDay) -> None:
    page.goto(f"/uploads/{_ended(site, 'departments.csv', b'-1,Archive')}")
    expect_final(page, "Nothing loaded")


def _cancelled(page: Page, site: Site, _day: FirstDay) -> None:
    with site.loader_paused():
        page.goto(f"/uploads/{site.ana.upload('jobs.csv', b'1,Cook')['id']}")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Being cancelled")).to_be_visible()
    expect_final(page, "Cancelled")


def _erased(page: Page, site: Site, _day: FirstDay) -> None:
    site.write_rows("departments", [{"id": 9600, "department": "Vault"}])
    page.goto("/tables/departments/9600")
    page.get_by_text("Erase this row everywhere").click()
    page.get_by_label("Erase it for good").check()
    page.get_by_role("button", name="Erase Departments: 9600").click()
    expect_final(page, "Erased")


def _invitation(page: Page, site: Site, _day: FirstDay) -> None:
    email = "invited@example.com"
    path = f"{site.url}/v1/invitations"
    site.admin.session.post(path, json={"email": email, "permissions": ["uploads:read"]})
    wait_until(lambda: bool(site.links_to(email)))
    page.goto(site.links_to(email)[-1])


def _asked_for_a_link(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/forgot-password")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_role("status").filter(visible=True)).to_be_visible()


def _too_long_a_form(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/account")
    _send_form(page, "/account/password", {"current_password": "x" * 1_000_000})


def _send_form(page: Page, path: str, values: dict[str, str]) -> None:
    """Send a form that none of the pages would send."""
    with page.expect_navigation():
        page.evaluate(
            """([action, values]) => {
              const form = Object.assign(document.createElement("form"), {action, method: "post"});
              for (const [name, value] of Object.entries(values))
                form.append(Object.assign(document.createElement("input"), {name, value}));
              document.body.append(form);
              form.submit();
            }""",
            [path, values],
        )


def _failed(page: Page, site: Site, _day: FirstDay) -> None:
    page.goto(f"/uploads/{site.ana.wait(site.ana.upload('jobs.csv', b'')['id'])['id']}")


def _user(page: Page, _site: Site, _day: FirstDay) -> None:
    page.goto("/users")
    page.get_by_role("link", name=ANA, exact=True).click()


def _row(page: Page, site: Site, _day: FirstDay) -> None:
    site.ana.wait(site.ana.upload("departments.csv", b"77,Cellar\n")["id"])
    site.write_rows("departments", [{"id": 77, "department": "Brewery"}])
    later = b"id,department\n78,Archive\n77,Wine cellar\n"
    site.ana.wait(site.ana.upload("departments.csv", later)["id"])
    page.goto("/tables/departments")
    page.get_by_label("Id").fill("77")
    page.get_by_role("button", name="Show the row").click()
    expect(page.get_by_role("heading", name="Departments: 77")).to_be_visible()


def _dry_run(page: Page, site: Site, _day: FirstDay) -> None:
    hires = b"id,name,datetime,department_id,job_id\n" + b"".join(
        f"{9100 + number},Ana,2021-0{1 + number % 9}-01,{1 + number % 12},1\n".encode()
        for number in range(40)
    )
    upload = site.ana.upload("hired_employees.csv", hires, dry_run="true")
    page.goto(f"/uploads/{site.ana.wait(upload['id'])['id']}")
    expect(page.get_by_role("heading", name="What it would change")).to_be_visible()


def _undo_preview(page: Page, site: Site, _day: FirstDay) -> None:
    new = max(row["id"] for row in site.ana.rows("jobs")) + 1
    jobs = f"{new},Cook\n{new + 1},Baker\n{new + 2},Miller\n"
    loaded = site.ana.wait(site.ana.upload("jobs.csv", jobs.encode())["id"])
    later = f"{new},Chef\n{new + 1},Baker\n"
    site.ana.wait(site.ana.upload("jobs.csv", later.encode())["id"])
    page.goto(f"/uploads/{loaded['id']}")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.get_by_role("heading", name="Undo it now?")).to_be_visible()


def _undone(page: Page, site: Site, day: FirstDay) -> None:
    _undo_preview(page, site, day)
    page.get_by_role("button", name="Undo 2 rows").click()
    expect(page.locator("#upload .badge")).to_have_text("Not all undone")
    expect(page.get_by_role("heading", name="Undo the undo")).to_be_visible()


VIEWS: Mapping[str, View] = {
    "sign-in": View(None, _at("/")),
    "wrong-password": View(None, _wrong_password),
    "no-uploads": View(NEW, _at("/")),
    "uploads": View(ANA, _at("/")),
    "uploads-of-all": View(ADMIN, _at("/")),
    "pasted": View(ANA, _pasted),
    "files-seen": View(ANA, _seen_before),
    "files-sent": View(ANA, _files_sent),
    "sending": View(ANA, _sending),
    "nothing-found": View(ANA, _at("/?state=failed&table=departments")),
    "following": View(ANA, _following, paused="dbuploader-consumer"),
    "rejects": View(ANA, _with_rejects),
    "corrections": View(ANA, _corrected),
    "loaded": View(ANA, _loaded),
    "nothing-loaded": View(ANA, _nothing_loaded),
    "failed": View(ANA, _failed),
    "cancelled": View(ANA, _cancelled),
    "erased": View(ANA, _erased),
    "dry-run": View(ANA, _dry_run),
    "undo-preview": View(ANA, _undo_preview),
    "undone": View(ANA, _undone),
    "tables": View(ANA, _at("/tables")),
    "table": View(ANA, _at("/tables/hired_employees")),
    "rows-found": View(ANA, _at("/tables/hired_employees?search=a&sort=-department_id")),
    "no-rows-found": View(ANA, _at("/tables/hired_employees?search=zzz")),
    "row": View(ANA, _row),
    "no-row": View(ANA, _at("/tables/departments/999999")),
    "hiring": View(ANA, _at("/questions?year=2021")),
    "no-hiring": View(ANA, _at("/questions?year=1999")),
    "hiring-of-one": View(ANA, _at("/questions?year=2021&department=Finance&job=a")),
    "account": View(ANA, _at("/account")),
    "emails": View(ANA, _at("/account/emails")),
    "users": View(ADMIN, _at("/users")),
    "audit": View(ADMIN, _at("/audit")),
    "keys": View(ANA, _key_made),
    "webhooks": View(ANA, _webhook_refused),
    "webhook": View(ANA, _webhook),
    "forgot": View(None, _at("/forgot-password")),
    "asked-for-a-link": View(None, _asked_for_a_link),
    "invitation": View(None, _invitation),
    "link": View(None, _at("/new-password#token")),
    "link-not-valid": View(None, _link_not_valid),
    "user": View(ADMIN, _user),
    "problem": View(ANA, _at("/uploads/none")),
    "unknown-path": View(ANA, _at("/nowhere")),
    "strangers-unknown-path": View(None, _at("/nowhere")),
    "forbidden": View(ANA, _at("/users")),
    "unavailable": View(ADMIN, _at("/users"), paused="auth"),
    "too-large": View(ANA, _too_long_a_form),
}


@contextmanager
def showing(view: View, site: Site, day: FirstDay) -> Iterator[Page]:
    """The view, open in a browser."""
    with site.open_page(view.email) as page:
        if view.paused is None:
            view.show(page, site, day)
            yield page
            return
        with ExitStack() as stack:
            # Some have a worker, which does the work.
            process = psutil.Process(site.suite.pid(view.paused))
            for each in (process, *process.children(recursive=True)):
                stack.enter_context(paused(each.pid))
            view.show(page, site, day)
            yield page


def widths(page: Page) -> Iterator[int]:
    """The page at each width, one after the other."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        yield width


def looks(page: Page) -> Iterator[tuple[Theme, int]]:
    """The page in each theme at each width, one after the other: yields both."""
    for width in widths(page):
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            yield theme, width


def is_too_wide(page: Page) -> bool:
    """Whether the page as a whole scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
