"""`python -m embedded.demo [DIRECTORY]`: upload three CSV files and check all that comes of it."""

import argparse
import sys
import tempfile
from pathlib import Path

from embedded.client import Client, Json
from embedded.demo.checks import Checks, heading, table
from embedded.demo.expected import COLUMNS, Expected
from embedded.demo.mailbox import maildir_of, text_of, wait_for_email
from embedded.running import RunningSuite, SuiteFailed

ADMIN = "admin@example.com"
_SHOWN_ROWS = 10


def main() -> int:
    """Run the demo; returns 0 when everything was as expected."""
    arguments = _parse_arguments()
    checks = Checks()
    heading("Starting the suite on a data directory of its own")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="muster-demo-") as directory,
            RunningSuite(Path(directory) / "home", {"MUSTER_ADMIN_EMAIL": ADMIN}) as suite,
            Client(suite.url, ADMIN, suite.admin_password()) as client,
        ):
            print(f"  it answers at {suite.url}; logged in as {ADMIN}")
            maildir = arguments.maildir or maildir_of(suite.home)
            _do_the_job(arguments.samples, client, maildir, checks)
    except SuiteFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return _conclude(checks)


def _do_the_job(samples: Path, client: Client, maildir: Path | None, checks: Checks) -> None:
    expected = Expected(samples)
    uploads = {name: _upload(samples / f"{name}.csv", client) for name in COLUMNS}
    for name, upload in uploads.items():
        uploads[name] = client.wait(upload["id"])
        _check_upload(uploads[name], expected, checks)
    for upload in uploads.values():
        _check_rejects(upload, client, expected, checks)
    if maildir is None:
        heading("The emails are with the mail server, and not checked: see --maildir")
    else:
        for upload in uploads.values():
            _check_email(upload, maildir, checks)
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


def _check_email(upload: Json, maildir: Path, checks: Checks) -> None:
    email = wait_for_email(maildir, upload["id"])
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


def _conclude(checks: Checks) -> int:
    heading("All is as expected" if not checks.wrong else "Not all is as expected")
    print(f"  {checks.made - len(checks.wrong)} of {checks.made} checks passed")
    return 1 if checks.wrong else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m embedded.demo", description=__doc__)
    parser.add_argument(
        "samples",
        type=Path,
        nargs="?",
        default=Path("samples"),
        metavar="DIRECTORY",
        help="holds departments.csv, jobs.csv and hired_employees.csv (default: samples)",
    )
    parser.add_argument(
        "--maildir",
        type=Path,
        metavar="DIRECTORY",
        help="where the mail server delivers, if MUSTER_SMTP_URL names one",
    )
    arguments = parser.parse_args()
    for name in COLUMNS:
        path: Path = arguments.samples / f"{name}.csv"
        if not path.is_file():
            parser.error(f"there is no {path}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
