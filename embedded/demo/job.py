"""The main job, step by step, with what must come of each."""

from pathlib import Path

from embedded.client import Client, Json
from embedded.demo.checks import Checks, heading, table
from embedded.demo.expected import COLUMNS, Expected
from embedded.demo.mailbox import Mailbox, text_of, wait_for_email

_SHOWN_ROWS = 10


def do_the_job(samples: Path, client: Client, mailbox: Mailbox | None, checks: Checks) -> None:
    """Upload the files of `samples` and check all that comes of it, and `mailbox` if known."""
    expected = Expected(samples)
    uploads = {name: _upload(samples / f"{name}.csv", client) for name in COLUMNS}
    for name, upload in uploads.items():
        uploads[name] = client.wait(upload["id"])
        _check_upload(uploads[name], expected, checks)
    for upload in uploads.values():
        _check_rejects(upload, client, expected, checks)
    for upload in uploads.values():
        _check_sending(upload, client, checks)
        if mailbox is not None:
            _check_email(upload, mailbox, checks)
    _check_queries(expected.years()[0], client, expected, checks)


def _upload(path: Path, client: Client) -> Json:
    upload = client.upload(path.name, path)
    print(f"  uploaded {path.name}: {upload['id']} is {upload['state']}")
    return upload


def _check_upload(upload: Json, expected: Expected, checks: Checks) -> None:
    heading(f"{upload['filename']}: {upload['state']}")
    table([upload["rows"]])
    wanted = expected.uploads[upload["table"]]
    rejected = len(wanted.rejected)
    state = "completed_with_rejects" if rejected else "completed"
    counts = {
        "read": wanted.read,
        "inserted": wanted.loaded,
        "updated": 0,
        "unchanged": 0,
        "rejected": rejected,
        "unprocessed": 0,
    }
    checks.equal("the state", upload["state"], state)
    checks.equal("the counts", upload["rows"], counts)


def _check_rejects(upload: Json, client: Client, expected: Expected, checks: Checks) -> None:
    rejects = client.rejects(upload["id"])
    if rejects:
        heading(f"Rejected rows of {upload['filename']}")
        shown = ("id", "_line", "_code", "_column", "_message")
        table([{name: row[name] for name in shown} for row in rejects], _SHOWN_ROWS)
    found = {int(row["_line"]): row["_column"] for row in rejects}
    wanted = expected.uploads[upload["table"]].rejected
    checks.equal(f"the rejected rows of {upload['filename']} and their columns", found, wanted)


def _check_sending(upload: Json, client: Client, checks: Checks) -> None:
    # What a mail server has taken may be out of sight; the upload says whether it did.
    email = client.wait_for_email(upload["id"])
    checks.equal(f"the email about {upload['filename']} is sent", email["state"], "sent")


def _check_email(upload: Json, mailbox: Mailbox, checks: Checks) -> None:
    email = wait_for_email(mailbox, upload["id"])
    checks.equal(f"there is an email about {upload['filename']}", email is not None, True)
    if email is None:
        return
    text = text_of(email)
    if upload["rows"]["rejected"]:
        heading(f"The email: {email['Subject']}")
        print("\n".join(f"  | {line}".rstrip() for line in text.splitlines()))
    plain = f"{email['Subject']}\n{text}".replace(",", "")
    numbers = [str(upload["rows"][name]) for name in ("read", "inserted", "rejected")]
    checks.equal("it goes to the uploader", email["To"], upload["submitted_by"])
    checks.equal("it names the file", upload["filename"] in text, True)
    checks.equal("it tells the counts", [number for number in numbers if number in plain], numbers)


def _check_queries(year: int, client: Client, expected: Expected, checks: Checks) -> None:
    heading(f"Hires by department, job and quarter in {year}")
    quarters = client.query("hires-by-quarter", year)["rows"]
    table(quarters, _SHOWN_ROWS)
    wanted = expected.hires_by_quarter(year)
    checks.equal(f"all {len(wanted)} rows, in order", quarters, wanted)
    heading(f"Departments that hired more than the mean in {year}")
    answer = client.query("departments-above-mean", year)
    table(answer["rows"])
    mean, rows = expected.departments_above_mean(year)
    checks.equal(f"the mean, {mean:.2f}", round(answer["mean"], 6), round(mean, 6))
    checks.equal(f"all {len(rows)} rows, in order", answer["rows"], rows)
