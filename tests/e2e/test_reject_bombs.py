"""Small gzips of rows that are all rejected: what is kept of them, and what others wait."""

import gzip
import time
from pathlib import Path

import pytest

from bench.memory import peak_memory
from embedded.client import Client
from tests.e2e.conftest import ADMIN
from tests.e2e.families import embedded_family

LINES = {"a letter": b"x\n", "a quote that stays open": b'"\n', "a byte that is no text": b"\xff\n"}
SIZE = 8 * 1024 * 1024
KEPT = 128 * 1024 * 1024
LONGEST_HEADER = 1000
CONSUMER = "dbuploader-consumer"
# On a quiet machine it is a tenth of that.
MOST_SECONDS = 300.0


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_bomb_of_rejects_ends_and_those_behind_it_load(tmp_path: Path) -> None:
    with (
        embedded_family(tmp_path).run() as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        admin.add_user("bo@example.com", "correct horse battery", ["uploads:write", "uploads:read"])
        with Client(suite.url, "bo@example.com", "correct horse battery") as other:
            for number, (name, line) in enumerate(LINES.items(), start=1):
                content = gzip.compress(line * (SIZE // len(line)))
                idle = peak_memory(suite.pid(CONSUMER))
                began = time.monotonic()
                bomb = admin.upload("hired_employees.csv.gz", content, header="absent")["id"]
                behind = other.upload("jobs.csv", f"{number},Job\n".encode())["id"]
                assert other.wait(behind, MOST_SECONDS)["state"] == "completed"
                waited = time.monotonic() - began
                more = peak_memory(suite.pid(CONSUMER)) - idle

                ended = admin.get_upload(bomb)
                (stored,) = (tmp_path / "home/store").rglob(f"{bomb}.*.rejects")
                kept = stored.stat().st_size
                print(
                    f"{name}: {len(content):,} bytes of gzip, {kept:,} bytes of rejects, "
                    f"another's file final after {waited:.1f} s, {more:.0f} MiB more"
                )
                assert (ended["state"], ended["error"]["code"]) == ("failed", "too-many-rejects")
                rows = ended["rows"]
                assert rows["read"] == rows["rejected"] + rows["unprocessed"] < SIZE // len(line)
                assert kept <= KEPT + LONGEST_HEADER
                assert more < 128
