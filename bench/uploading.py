"""Uploads of the bench, timed, and refused as a measurement where a row is not as expected."""

import time
from dataclasses import dataclass
from pathlib import Path

from embedded.client import Client

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


def load_parents(client: Client, samples: Path) -> None:
    """Load the departments and jobs that the hires name."""
    for name in ("departments.csv", "jobs.csv"):
        client.wait(client.upload(name, samples / name)["id"])
