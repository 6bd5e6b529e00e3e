"""What an earlier version kept in its home is there in this one, and goes on.

`tests/data/home.tar.gz` is the home of a suite on the embedded default, as the version before the
packages got their rooms left it: three uploads, a fourth that waits, a batch, and a second user.
"""

import subprocess
from pathlib import Path

import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN

HOME = Path(__file__).parents[1] / "data/home.tar.gz"
PASSWORD = "a-password-of-the-test"
JOBS = b"1,Clerk\n2,Nurse\n"
# The home gets older each day; the answer to its batch must be kept for longer.
A_CENTURY = {"MUSTER_KEEP_ANSWERS_HOURS": str(100 * 365 * 24)}


@pytest.mark.timeout(600)
def test_a_home_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    # tarfile takes no filter in the Python of Debian 12, and warns without one in later versions.
    subprocess.run(["tar", "-xzf", HOME, "-C", home], check=True)
    with SuiteProcess(home, A_CENTURY) as suite, Client(suite.url, ADMIN, PASSWORD) as client:
        waiting, hires, jobs, departments = client.uploads()

        assert client.wait(waiting["id"])["rows"]["inserted"] == 1
        assert [row["id"] for row in client.rows("hired_employees")] == [1, 4]

        assert (departments["state"], jobs["rows"]["inserted"]) == ("completed", 2)
        assert [row["_code"] for row in client.rejects(hires["id"])] == [
            "foreign-key",
            "constraint-error",
        ]
        assert client.upload("jobs.csv", JOBS, key="jobs-once")["id"] == jobs["id"]
        assert repeated_batch(client) == {"read": 1, "inserted": 1, "updated": 0, "unchanged": 0}
        assert departments["id"] in {upload["id"] for upload in client.uploads()}

        me = client.session.get(f"{client.url}/v1/me").json()
        assert {"uploads:admin", "uploads:undo"} <= set(me["permissions"])

        with Client(suite.url, "ana@example.com", "correct horse battery") as other:
            assert other.uploads() == []
            assert len(other.rows("jobs")) == 3


def repeated_batch(client: Client) -> dict[str, int]:
    """The answer to a batch that was answered before under its key; it is not written again."""
    answer = client.session.post(
        f"{client.url}/v1/tables/jobs/rows",
        data=b'[{"id":3,"job":"Editor"}]',
        headers={"Idempotency-Key": "batch-1", "Content-Type": "application/json"},
    )
    assert answer.status_code == requests.codes.ok
    counts: dict[str, int] = answer.json()
    return counts
