"""A backup while eight clients upload: a suite on the copy finishes all that is in it."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from embedded.suite_process import SuiteProcess
from tests.e2e.families import embedded_family
from tests.e2e.patient import admin_of
from tests.e2e.threads import in_threads
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

CLIENTS = 8
ROWS = 50
BEFORE = 40
HIRE = "2021-07-27T16:02:08Z"


class Crowd:
    """Clients that upload hires, each file with ids of its own, until the block ends."""

    def __init__(self, suite: SuiteProcess) -> None:
        self._suite = suite
        self._stop = threading.Event()
        self.accepted: list[str] = []

    def sending(self) -> AbstractContextManager[None]:
        return in_threads([partial(self._send, number) for number in range(CLIENTS)], self._stop)

    def _send(self, number: int) -> None:
        first = number * 1_000_000
        with admin_of(self._suite) as client:
            while not self._stop.is_set():
                ids = range(first + 1, first + ROWS + 1)
                content = "".join(f"{key},Hire {key},{HIRE},1,1\n" for key in ids)
                upload = client.upload("hired_employees.csv", content.encode())
                self.accepted.append(upload["id"])
                first += ROWS


def run(home: Path, module: str, *arguments: str) -> str:
    """What the command prints; fails unless it ends well."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "MUSTER_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done
    return done.stdout


def test_what_was_accepted_before_a_backup_is_final_after_its_restore(tmp_path: Path) -> None:
    family, backup = embedded_family(tmp_path), tmp_path / "backup"
    with family.run() as suite:
        with admin_of(suite) as client:
            for table in ("departments", "jobs"):
                client.wait(client.upload(f"{table}.csv", b"1,One\n")["id"])
        crowd = Crowd(suite)
        with crowd.sending():
            wait_until(lambda: len(crowd.accepted) >= BEFORE)
            before = {*crowd.accepted}
            said = run(family.home, "embedded.backup", str(backup))
            print(f"accepted before: {len(before)}, at its end: {len(crowd.accepted)}")
    found = re.search(r"has (\d+) uploads", said)
    assert found is not None, said

    home = tmp_path / "again"
    run(home, "embedded.restore", str(backup))
    begun = time.monotonic()
    with (
        SuiteProcess(home) as again,
        admin_of(again) as client,
    ):
        uploads = [client.wait(each["id"]) for each in client.uploads()]
        print(f"started, and all final, in {time.monotonic() - begun:.1f} s")
        assert len(uploads) == int(found[1])
        assert {each["id"] for each in uploads} >= before
        assert {each["state"] for each in uploads} == {"completed"}
        loaded = sum(each["rows"]["inserted"] for each in uploads)
        assert loaded == ROWS * (len(uploads) - 2) + 2
        assert len(client.rows("hired_employees")) == ROWS * (len(uploads) - 2)
        run(home, "dbuploader.journal.audit", "--all")
