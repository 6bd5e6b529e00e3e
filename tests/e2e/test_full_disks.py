"""Real disks that are full or read-only under a whole suite: no answer that is not true."""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN, PATIENTLY
from tests.e2e.faults import PROCESSES
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.chaos, PATIENTLY]

# From when there is room until what waited goes on; not counted is the work itself.
_PROMISED_SECONDS = 10.0
HIRES = "".join(f"{key},Ann,2021-07-27T16:02:08Z,1,1\n" for key in range(1, 200_001)).encode()


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@contextmanager
def mounted(path: Path, size: str) -> Iterator[Disk]:
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def seed(client: Client) -> None:
    for table in ("departments", "jobs"):
        client.wait(client.upload(f"{table}.csv", b"1,One\n")["id"])


def error_of(client: Client, upload_id: str) -> str | None:
    error: dict[str, str] | None = client.get_upload(upload_id)["error"]
    return None if error is None else error["code"]


def goes_on(client: Client, upload_id: str) -> bool:
    upload = client.get_upload(upload_id)
    return upload["state"] == "completed" or (upload["error"] is None and upload["progress"] > 0)


@pytest.mark.parametrize(("scarce", "plenty"), [("size=2m", "size=200m"), ("ro", "rw")])
def test_uploads_wait_for_the_scratch_disk_and_go_on_by_themselves(
    tmp_path: Path, scarce: str, plenty: str
) -> None:
    home = tmp_path / "home"
    log = home / "log" / "dbuploader-consumer.log"
    with (
        mounted(tmp_path / "scratch", "200m") as disk,
        SuiteProcess(home, {"MUSTER_SCRATCH_DIR": str(disk.path)}) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as client,
    ):
        seed(client)
        before = suite.pid("dbuploader-consumer")
        disk.remount(scarce)
        ids = [client.upload("hired_employees.csv", HIRES)["id"]]
        ids += [client.upload("jobs.csv", f"{key},Nurse\n".encode())["id"] for key in (8, 9)]
        # As often as it takes for waits to be at their longest.
        wait_until(lambda: log.read_text().count('"waiting-for-disk"') > 8)
        assert error_of(client, ids[0]) == "waiting-for-disk"
        assert {client.get_upload(each)["state"] for each in ids} <= {"validating", "queued"}
        disk.remount(plenty)
        began = time.monotonic()
        wait_until(lambda: goes_on(client, ids[0]))
        took = time.monotonic() - began
        assert [client.wait(each)["state"] for each in ids] == ["completed"] * 3
        print(f"{scarce}: went on after {took:.1f} s, all after {time.monotonic() - began:.1f} s")
        assert took < _PROMISED_SECONDS
        assert suite.pid("dbuploader-consumer") == before


def test_a_full_data_directory_refuses_and_takes_up_again(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "home", "96m") as disk,
        SuiteProcess(disk.path) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as client,
    ):
        seed(client)
        pids = {name: suite.pid(name) for name in PROCESSES}
        token = client.session.headers["Authorization"]
        accepted: list[str] = []
        answers: Counter[int] = Counter()

        def post() -> int:
            answer = requests.post(
                f"{suite.url}/v1/uploads?filename=jobs.csv",
                data=f"{len(accepted) + 10},Cook\n",
                headers={"Authorization": str(token), "Content-Type": "text/csv"},
                timeout=120,
            )
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            answers[answer.status_code] += 1
            return answer.status_code

        ballast = disk.path / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        # Whatever room is given back meanwhile is taken, too.
        for _ in range(40):
            post()
            with ballast.open("ab") as file, suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(4096))
        print(f"while it was full: {dict(answers)}")
        assert answers[503]
        ballast.unlink()
        began = time.monotonic()
        wait_until(lambda: post() == 202)
        took = time.monotonic() - began
        assert {client.wait(each)["state"] for each in accepted} == {"completed"}
        print(f"took up again after {took:.1f} s, all after {time.monotonic() - began:.1f} s")
        assert took < _PROMISED_SECONDS
        assert set(answers) <= {202, 503, 507}
        assert {name: suite.pid(name) for name in PROCESSES} == pids


def test_logs_that_can_not_be_written_cost_nothing_but_their_lines(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "log").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    full = [home / "log" / f"{name}.log" for name in PROCESSES]
    for log in (*full, tmp_path / "home.stderr"):
        log.symlink_to("/dev/full")
    with (
        SuiteProcess(home) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as client,
    ):
        seed(client)
        pids = {name: suite.pid(name) for name in PROCESSES}
        states = Counter(
            client.wait(client.upload("jobs.csv", f"{key},Cook\n".encode())["id"])["state"]
            for key in range(10, 60)
        )
        assert states == {"completed": 50}
        assert {name: suite.pid(name) for name in PROCESSES} == pids
        assert (
            "muster_log_lines_dropped_total 0.0"
            not in requests.get(f"{suite.url}/metrics", timeout=120).text
        )
        # A child that ends is started again, and the supervisor says so to nobody.
        suite.kill("notification")
        wait_until(lambda: suite.has_restarted("notification", pids["notification"]))
        for log in full:
            log.unlink()
        began = time.monotonic()
        log = home / "log" / "gateway.log"
        wait_until(lambda: client.uploads() and log.exists() and log.stat().st_size)
        print(f"lines again after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began < _PROMISED_SECONDS
