"""`python -m embedded.demo [DIRECTORY]`: upload three CSV files and check all that comes of it."""

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from embedded.client import Client
from embedded.demo.checks import Checks, heading
from embedded.demo.expected import COLUMNS
from embedded.demo.job import do_the_job
from embedded.demo.mailbox import emails, emails_in_mailpit, maildir_of
from embedded.settings import EmbeddedSettings
from embedded.suite_process import SuiteFailed, SuiteProcess
from muster.settings import read_settings

ADMIN = "admin@example.com"
_INTERRUPTED = 130


def main() -> int:
    """Run the demo; returns 0 when everything was as expected."""
    arguments = _parse_arguments()
    checks = Checks()
    if arguments.url:
        _visit(arguments, checks)
        return _conclude(checks)
    heading("Starting the suite on a data directory of its own")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="muster-demo-") as directory,
            SuiteProcess(Path(directory) / "home", {"MUSTER_ADMIN_EMAIL": ADMIN}) as suite,
            Client(suite.url, ADMIN, suite.admin_password()) as client,
        ):
            print(f"  it answers at {suite.url}; logged in as {ADMIN}")
            maildir = arguments.maildir or maildir_of(suite.home)
            mailbox = partial(emails, maildir) if maildir else None
            do_the_job(arguments.samples, client, mailbox, checks)
            heading("Stopping the suite")
    except KeyboardInterrupt:
        # The suite has ended by now, and its data directory is removed.
        return _INTERRUPTED
    except SuiteFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return _conclude(checks)


def _visit(arguments: Namespace, checks: Checks) -> None:
    heading(f"The suite at {arguments.url}")
    email = os.environ.get("MUSTER_ADMIN_EMAIL", ADMIN)
    mailpit = arguments.mailpit
    mailbox = partial(emails_in_mailpit, mailpit) if mailpit else None
    with Client(arguments.url, email, arguments.password) as client:
        do_the_job(arguments.samples, client, mailbox, checks)


def _conclude(checks: Checks) -> int:
    heading("All is as expected" if not checks.wrong else "Not all is as expected")
    print(f"  {checks.made - len(checks.wrong)} of {checks.made} checks passed")
    return 1 if checks.wrong else 0


def _parse_arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m embedded.demo", description=__doc__)
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
    parser.add_argument(
        "--url",
        help="a suite that runs already and is empty, instead of one of its own; the administrator "
        "is MUSTER_ADMIN_EMAIL with MUSTER_ADMIN_PASSWORD",
    )
    parser.add_argument("--mailpit", metavar="URL", help="the Mailpit that this suite mails to")
    arguments = parser.parse_args()
    if arguments.url:
        password = read_settings(EmbeddedSettings, parser.prog).admin_password
        if password is None:
            parser.error("MUSTER_ADMIN_PASSWORD is not set, nor MUSTER_ADMIN_PASSWORD_FILE")
        arguments.password = password.get_secret_value()
    for name in COLUMNS:
        path: Path = arguments.samples / f"{name}.csv"
        if not path.is_file():
            parser.error(f"there is no {path}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
