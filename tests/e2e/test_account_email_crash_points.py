"""Auth dies around each of its commits and publishes: each email that was asked for is sent."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from embedded.client import Client, Json
from tests.e2e.conftest import ADMIN
from tests.e2e.crashing import CrashPoints, Stop, changes_of
from tests.e2e.families import Family, embedded_family
from tests.e2e.waiting import wait_until
from tests.faults.ports import ANSWER
from tests.faults.table import crash_table
from tests.servers.smtp import MailServer

PROCESS = "auth"
PASSWORD = "correct horse battery"
COMMIT, PUBLISH = "database.commit", "broker.publish"
# The link, the claim of it, its being published, and the token that notification fetches.
TRANSACTIONS = range(1, 5)
STOPS = [
    *(Stop(PROCESS, call, each) for each in TRANSACTIONS for call in (COMMIT, COMMIT + ANSWER)),
    *(Stop(PROCESS, call) for call in (PUBLISH, PUBLISH + ANSWER)),
]
INVITATIONS, RESETS = "/v1/invitations", "/v1/password-resets"


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(1800)
def test_each_account_email_is_sent_wherever_auth_dies(tmp_path: Path) -> None:
    points = CrashPoints(tmp_path / "points")
    points.listen(PROCESS)
    with MailServer(tmp_path / "smtp") as mail:
        family = family_with(tmp_path, mail, points)
        with (
            family.run() as suite,
            Client(suite.url, ADMIN, suite.admin_password()) as admin,
        ):
            for email in addresses(RESETS):
                user = {"email": email, "password": PASSWORD, "permissions": []}
                accept(admin, "/v1/users", user, 201, 409)
            accepted = {
                order(admin, points, stop, path, email)
                for path in (INVITATIONS, RESETS)
                for stop, email in zip(STOPS, addresses(path), strict=True)
            }
            wait_until(lambda: accepted <= sent_by_request(family).keys())
            # Each kind is published once more, after a death between that and its being noted.
            wait_until(lambda: repeated(family) >= 2)
        told_by_docs = crash_table("account-email")[PROCESS]
        assert changes_of(points, PROCESS) <= told_by_docs <= points.known(PROCESS)
    deaths = points.deaths.total()
    print(f"\n{deaths} deaths, {len(accepted)} accepted, {repeated(family)} emails came again")
    # Whatever came again has the `Message-ID` of the first.
    assert {len(set(ids)) for ids in sent_by_request(family).values()} == {1}
    assert repeated(family) <= deaths


def family_with(directory: Path, mail: MailServer, points: CrashPoints) -> Family:
    """The embedded default, but for its mail: a maildir would keep one email of those alike."""
    environment = {"MUSTER_SMTP_URL": mail.url(), **points.environment()}
    return replace(embedded_family(directory), environment=environment, maildir=mail.maildir)


def addresses(path: str) -> list[str]:
    """Whom each death is about."""
    name = path.rpartition("/")[2]
    return [f"{name}-{number}@example.com" for number, _ in enumerate(STOPS)]


def order(client: Client, points: CrashPoints, stop: Stop, path: str, email: str) -> str:
    """Ask for an email until it is accepted, while auth dies once; returns that request's id.

    Two commits of its chores come first, each time that it begins, and count for none.
    """
    wait_until(lambda: points.heard(PROCESS).count(COMMIT + ANSWER) >= 2)
    body: Json = {"email": email}
    if path == INVITATIONS:
        body["permissions"] = ["uploads:write"]
    points.arm(stop)
    answer = accept(client, path, body, 202)
    wait_until(lambda: not points.is_armed(stop))
    points.listen(PROCESS)
    return answer.headers["X-Request-Id"]


def accept(client: Client, path: str, body: Json, *statuses: int) -> requests.Response:
    """The answer of one of the statuses, once there is one; in between auth is away."""
    answers: list[requests.Response] = []

    def is_accepted() -> bool:
        answers.append(client.session.post(client.url + path, json=body, timeout=60))
        assert answers[-1].status_code in statuses or answers[-1].status_code >= 500
        return answers[-1].status_code in statuses

    wait_until(is_accepted)
    return answers[-1]


def sent_by_request(family: Family) -> Mapping[str, list[str]]:
    """The `Message-ID`s of the emails that came, by the id of the request for each."""
    ids = defaultdict(list)
    for each in family.emails():
        ids[str(each["X-Request-Id"])].append(str(each["Message-ID"]))
    return ids


def repeated(family: Family) -> int:
    """How many emails came again."""
    return sum(len(ids) - len(set(ids)) for ids in sent_by_request(family).values())
