"""A digest as its reader gets it: one email about all uploads of a minute, of a suite that runs."""

import time
from email.message import EmailMessage

import pytest

from embedded.client import Client
from embedded.demo.mailbox import emails, text_of
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import IN_GROUPS
from tests.e2e.waiting import wait_until

PASSWORD = "correct horse battery"
FILES = (b"9701,Glazier\n", b"9702,\n9703,Turner\n", b"")


# The minute has to pass.
@pytest.mark.chaos
@pytest.mark.parametrize("suite", IN_GROUPS[:1], indirect=True)
def test_one_email_tells_of_all_uploads_of_a_minute(suite: SuiteProcess, admin: Client) -> None:
    address = f"digest.{time.monotonic_ns()}@example.com"
    admin.add_user(address, PASSWORD, ["uploads:write", "uploads:read"])
    with Client(suite.url, address, PASSWORD) as user:
        user.session.patch(f"{suite.url}/v1/me", json={"emails": "digest"}).raise_for_status()
        uploads = [user.wait(user.upload("jobs.csv", content)["id"]) for content in FILES]

    def come() -> list[EmailMessage]:
        return [email for email in emails(suite.home / "mail") if email["To"] == address]

    wait_until(lambda: bool(come()), seconds=300)
    (digest,) = come()
    assert digest["Subject"] == "3 uploads are finished, and 2 need your attention"
    told = text_of(digest)
    for upload in uploads:
        assert f"/uploads/{upload['id']}\n" in told
