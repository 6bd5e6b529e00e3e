"""Uploads in a loop over a connection that is cut at random, to a suite that is killed meanwhile.

None is lost and none is made twice.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from pathlib import Path

import pytest

from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess
from tests.e2e.command import Command
from tests.e2e.conftest import ADMIN, PATIENTLY
from tests.e2e.families import Family
from tests.e2e.patient import admin_of
from tests.servers.cutting import EveryCutter, RandomCutter

SEED = 20261128
UPLOADS = 200
SAMPLE = 8
# On a busy machine a suite takes minutes to start, more than the command tries by itself.
PATIENCE = "1800"
# A request has some 700 bytes and its answer some 1,700.
MOST_BYTES = 3000
MEBIBYTE = 1024**2


ON_THE_EMBEDDED_SUITE = pytest.mark.parametrize(
    "suite",
    [pytest.param("embedded", marks=[pytest.mark.xdist_group("embedded"), PATIENTLY])],
    indirect=True,
)


def port_of(suite: SuiteProcess) -> int:
    return int(suite.url.rpartition(":")[2])


def log_in(muster: Command, suite: SuiteProcess, port: int) -> None:
    password = f"{suite.admin_password()}\n".encode()
    url = f"http://127.0.0.1:{port}"
    asked = ("login", url, "--email", ADMIN, "--password-stdin", "--retry", PATIENCE)
    assert muster(*asked, stdin=password).status == 0


def send(
    muster: Command, suite: SuiteProcess, proxy: RandomCutter, count: int, folder: Path
) -> int:
    """Log in and send `count` files, each of one row; returns how often something was repeated."""
    log_in(muster, suite, proxy.port)
    repeats = 0
    for number in range(count):
        file = folder / f"bad-line-{number}.csv"
        file.write_text(f"{800_000 + number},Row {number}\n")
        ran = muster("upload", file, "--table", "jobs", "--mode", "insert", "--retry", PATIENCE)
        assert ran.status == 0, ran.err
        repeats += ran.err.count("trying again")
    return repeats


def assert_each_is_there_once(client: Client, count: int) -> None:
    sent = [each for each in client.uploads() if each["filename"].startswith("bad-line-")]
    states = Counter(client.wait(each["id"])["state"] for each in sent)
    assert states == {"completed": count}
    assert len({each["filename"] for each in sent}) == count
    keys = {row["id"] for row in client.rows("jobs") if row["id"] >= 800_000}
    assert keys == {800_000 + number for number in range(count)}


def seconds_to_start_again(suite: SuiteProcess) -> float:
    """Kill the suite, and start it again; returns how long the start took."""
    suite.kill_supervisor()
    begun = time.monotonic()
    suite.start_again()
    return time.monotonic() - begun


@contextmanager
def killed_again_and_again(
    suite: SuiteProcess, chance: random.Random, killer: Executor
) -> Iterator[list[str]]:
    """Have `killer` kill the suite, or a process of it, again and again; yields what was killed.

    It runs as long as it takes to start, or uploads would hardly go on where it starts slowly. The
    suite ends with the thread that started it last, so the killer's must outlive it.
    """
    killed: list[str] = []
    ending = threading.Event()

    def kill() -> None:
        names = ["suite", "gateway", "dbuploader-consumer", "auth"]
        start_seconds = 4.0
        while not ending.wait(2 * chance.random() * start_seconds / len(names)):
            name = chance.choice(names)
            killed.append(name)
            if name == "suite":
                start_seconds = seconds_to_start_again(suite)
            else:
                suite.kill(name)

    killing = killer.submit(kill)
    try:
        yield killed
    finally:
        ending.set()
        killing.result()


@ON_THE_EMBEDDED_SUITE
def test_uploads_over_a_bad_line_arrive_once(
    suite: SuiteProcess, admin: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with RandomCutter(port_of(suite), random.Random(SEED), MOST_BYTES) as proxy:
        repeats = send(Command(monkeypatch, tmp_path), suite, proxy, SAMPLE, tmp_path)
    assert repeats
    assert_each_is_there_once(admin, SAMPLE)


def send_large(
    muster: Command, suite: SuiteProcess, proxy: EveryCutter, rows: int, folder: Path
) -> Json:
    """Send a file of so many rows of 64,000 bytes; returns its upload."""
    log_in(muster, suite, proxy.port)
    file, digest = folder / "large.csv", sha256()
    with file.open("wb") as written:
        for line in chain([b"id,job,_\n"], (row_of(number) for number in range(rows))):
            written.write(line)
            digest.update(line)
    ran = muster("upload", file, "--table", "jobs", "--json")
    assert ran.status == 0, ran.err
    [upload] = ran.results
    assert (upload["size"], upload["sha256"]) == (file.stat().st_size, digest.hexdigest())
    return upload


def row_of(number: int) -> bytes:
    beginning = f"{810_000 + number},Large {number},"
    return f"{beginning:-<63999}\n".encode()


@ON_THE_EMBEDDED_SUITE
def test_a_large_file_goes_on_where_the_line_was_cut(
    suite: SuiteProcess, admin: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with EveryCutter(port_of(suite), 4 * MEBIBYTE) as proxy:
        upload = send_large(Command(monkeypatch, tmp_path), suite, proxy, 140, tmp_path)
    assert (proxy.cut, proxy.carried < 1.02 * upload["size"]) == (2, True)
    assert admin.wait(upload["id"])["rows"]["read"] == 140


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_a_gibibyte_goes_on_where_the_line_was_cut(
    family: Family, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with family.run() as suite, EveryCutter(port_of(suite), 20 * MEBIBYTE) as proxy:
        begun = time.monotonic()
        # As many as an upload may have.
        rows = 1024 * MEBIBYTE // 64_000
        size = send_large(Command(monkeypatch, tmp_path), suite, proxy, rows, tmp_path)["size"]
        seconds = time.monotonic() - begun
    assert proxy.cut == 51
    assert proxy.carried < 1.02 * size
    twice = proxy.carried / size - 1
    print(f"\n{size:,} bytes in {seconds:.0f} s, {proxy.cut} cuts; sent twice: {twice:.3%}")


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_two_hundred_uploads_arrive_once_in_a_suite_that_is_killed(
    family: Family, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    with (
        ThreadPoolExecutor(1, "killer") as killer,
        family.run({"MUSTER_START_SECONDS": PATIENCE}) as suite,
    ):
        with (
            RandomCutter(port_of(suite), chance, MOST_BYTES) as proxy,
            killed_again_and_again(suite, chance, killer) as killed,
        ):
            repeats = send(Command(monkeypatch, tmp_path), suite, proxy, UPLOADS, tmp_path)
        # What was killed last may not be there again.
        with admin_of(suite) as client:
            assert_each_is_there_once(client, UPLOADS)
    print(f"\n{UPLOADS} uploads; {len(killed)} kills: {dict(Counter(killed))};")
    print(f"{proxy.cut} connections cut; {repeats} requests repeated")
