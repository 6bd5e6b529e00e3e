"""Uploads of the bench, timed, and refused as a measurement where a row is not as expected."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.timing import median_seconds
from embedded.client import Client

SMALL_ROWS = 20
_LOAD_SECONDS = 3600


@dataclass(frozen=True)
class Loaded:
    """Seconds from the start of the POST to its 202, and to the upload's final state."""

    accepted: float
    final: float

    def __str__(self) -> str:
        return f"{self.final:.2f} s"


class NotAsExpected(Exception):
    """An upload did not end with the rows that it must; the message is the upload."""


def load(client: Client, path: Path, **expected: int) -> Loaded:
    """Upload a file of hires and wait until it is final.

    `expected` are its counts by name, such as `inserted`; those not given must be 0, `read` apart.
    Raises NotAsExpected.
    """
    began = time.monotonic()
    upload = client.upload("hired_employees.csv", path)
    accepted = time.monotonic() - began
    upload = client.wait(upload["id"], _LOAD_SECONDS)
    final = time.monotonic() - began
    wanted = {name: expected.get(name, 0) for name in upload["rows"] if name != "read"}
    found = {name: count for name, count in upload["rows"].items() if name != "read"}
    if found != wanted:
        raise NotAsExpected(str(upload))
    client.wait_for_email(upload["id"])
    return Loaded(accepted, final)


def wait_for(client: Client, content: bytes) -> None:
    """Send a small file of hires, and hold the line until it is final. Raises NotAsExpected."""
    answer = client.session.post(
        f"{client.url}/v1/uploads",
        params={"filename": "hired_employees.csv"},
        headers={"Content-Type": "text/csv", "Prefer": "wait=30"},
        data=content,
    )
    if answer.status_code != 200:
        raise NotAsExpected(answer.text)


def small_file(ids: Iterator[int]) -> bytes:
    """A file of `SMALL_ROWS` hires with the next ids."""
    rows = (
        f"{next(ids)},Hire,2021-03-{day + 1:02}T10:00:00Z,{day % 12 + 1},{day + 1}\r\n"
        for day in range(SMALL_ROWS)
    )
    return "".join(rows).encode()


def seconds_of_small(client: Client, ids: Iterator[int], repeats: int) -> float:
    """The median time of a small file, POST to final, of so many sent one after the other."""
    files = iter([small_file(ids) for _ in range(repeats)])
    return median_seconds(repeats, lambda: wait_for(client, next(files)))


def load_parents(client: Client, samples: Path) -> None:
    """Load the departments and jobs that the hires name."""
    for name in ("departments.csv", "jobs.csv"):
        client.wait(client.upload(name, samples / name)["id"])
