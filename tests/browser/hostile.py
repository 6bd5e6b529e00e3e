"""Values that try to be more than text, in every place that people can fill."""

from dataclasses import dataclass

from embedded.client import Client, Json
from tests.browser.site import PASSWORD, Site
from tests.browser.watching import CANARY

MARKUP = f"\"'><img src=x onerror={CANARY}=1><script>{CANARY}=1</script>${{{CANARY}=1}}"
BACKWARDS = "\u202egnihtyreve\u2066\u2069\u200f"
ATTRIBUTE = f'" autofocus onfocus="{CANARY}=1" x="'
LONG = "W" * 10_000
# The longest that is loaded.
LONGEST = "W" * 255
FILENAME = f"{MARKUP}{BACKWARDS}{'w' * 130}.csv".replace("/", "&sol;")
EMAIL = f"'{{{{7*7}}}}&lt;$`|={'w' * 44}@{'.'.join(['w' * 60] * 3)}".replace(";", "")
YEAR = 2015


@dataclass(frozen=True)
class Hostile:
    """What was left there: by a user of this id, uploads with rejects, and one that failed.

    The webhook is the administrator's.
    """

    user: Json
    rejected: Json
    failed: Json
    webhook: str


def leave_hostile_values(site: Site) -> Hostile:
    """Load some, and have others rejected."""
    permissions = ["uploads:read", "uploads:write", "queries:read"]
    user = site.admin.add_user(EMAIL, PASSWORD, permissions)
    with Client(site.url, EMAIL, PASSWORD) as client:
        names = [MARKUP, BACKWARDS, ATTRIBUTE, LONGEST]
        for table, column in (("departments", "department"), ("jobs", "job")):
            rows = [{"id": 901 + index, column: name} for index, name in enumerate(names)]
            site.write_rows(table, rows)
        hires = [
            f"{9001 + index},{_quoted(name)},{YEAR}-0{index + 1}-03T00:00:00Z,{901 + index},901\n"
            for index, name in enumerate(names)
        ]
        # Above the mean.
        hires += [f"{9100 + index},W,{YEAR}-05-05T00:00:00Z,904,904\n" for index in range(20)]
        client.wait(client.upload("hired_employees.csv", "".join(hires).encode())["id"])
        bad = [
            f"{_quoted(cell)},{_quoted(cell)},{_quoted(cell)},{_quoted(cell)},x\n"
            for cell in (MARKUP, BACKWARDS, ATTRIBUTE, LONG)
        ]
        bad.append(f'9999,"{LONG}{MARKUP}\n')
        options = {"table": "hired_employees", "header": "absent"}
        rejected = client.upload(FILENAME, "".join(bad).encode(), **options)
        header = f"id,{_quoted(MARKUP + BACKWARDS)}\n1,Cook\n".encode()
        failed = client.upload("jobs.csv", header, header="present")
        webhook = site.add_webhook(
            site.admin, f"http://127.0.0.1:9/{'w' * 2000}", MARKUP + BACKWARDS
        )
        return Hostile(user, client.wait(rejected["id"]), client.wait(failed["id"]), webhook)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
