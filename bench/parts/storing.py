"""The bytes of a large upload on their way into GridFS, against the driver alone."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bson import ObjectId
from gridfs import GridFSBucket
from pymongo import MongoClient

from bench.figures import Comparison, Figure, Series, at_most
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import describe_servers, durable_servers, running_suite
from embedded.client import Client

_MB = 1000 * 1000
_SMALLER_MB = 50
_HIRES_A_MB = 1000
"""How `HIRES` scales the large file: 1,000,000 make it 1 GB."""


@dataclass(frozen=True)
class _Stored:
    """Seconds until the bytes are durable."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s"


def measure(plan: Plan) -> Answer:
    """Store a file of 1 GB and one of 50 MB, by a POST and by the driver."""
    sizes = (max(plan.hires // _HIRES_A_MB, 1), _SMALLER_MB)
    paths = {size: _write(plan.directory / f"{size}.csv", size * _MB) for size in sizes}
    with durable_servers(plan.directory / "servers") as family:
        url = family.environment["MUSTER_CSV_STORE_URL"]
        with running_suite(family) as (_, client):
            turns = {}
            for size, path in paths.items():
                turns[f"{size} MB by POST"] = partial(_post, client, url, path)
                turns[f"{size} MB by the driver"] = partial(_put, url, path)
            found = interleaved(plan.runs, turns)
        settings = describe_servers(family)
    figures = (_figure(size, found) for size in sizes)
    return Answer("Storing large files", tuple(figures), (settings, *_CONDITIONS))


_CONDITIONS = (
    "Ours is the time from the POST to its 202, with hashing, and the upload's record and message.",
    "The driver is `GridFSBucket.upload_from_stream` with its defaults and the server's write "
    "concern, in the process that measures: it has no HTTP to go through.",
    "What was stored is removed before the next turn.",
)


def _figure(size: int, found: dict[str, list[_Stored]]) -> Figure:
    ours, driver = (
        Series("s", tuple(stored.seconds for stored in found[f"{size} MB {way}"]))
        for way in ("by POST", "by the driver")
    )
    target = at_most(1.2) if size > _SMALLER_MB else None
    title = f"{size:,} MB through the gateway, against GridFS by the driver alone"
    return Figure(title, ours, driver, Comparison.RATIO, target)


def _post(client: Client, store_url: str, path: Path) -> _Stored:
    began = time.monotonic()
    upload = client.upload("hired_employees.csv", path, dry_run="true")
    seconds = time.monotonic() - began
    # Loading it is another part's; asked to, the loader leaves it within 2 seconds.
    client.session.delete(f"{client.url}/v1/uploads/{upload['id']}")
    client.wait(upload["id"])
    with MongoClient[dict[str, Any]](store_url) as server:
        database = server.get_default_database()
        stored = database["csv.files"].find_one({"filename": upload["id"]}, {"_id": 1})
        if stored is not None:
            GridFSBucket(database, "csv").delete(stored["_id"])
    return _Stored(seconds)


def _put(store_url: str, path: Path) -> _Stored:
    with MongoClient[dict[str, Any]](store_url) as server, path.open("rb") as file:
        bucket = GridFSBucket(server.get_default_database(), "peer")
        began = time.monotonic()
        stored: ObjectId = bucket.upload_from_stream("file", file)
        seconds = time.monotonic() - began
        bucket.delete(stored)
    return _Stored(seconds)


def _write(path: Path, size: int) -> Path:
    """Hires over and over, `size` bytes of them."""
    write_hires(path, 100_000)
    block = path.read_bytes()
    with path.open("wb") as file:
        for _ in range(-(-size // len(block))):
            file.write(block)
        file.truncate(size)
    # From the page cache, as all contestants have it.
    path.read_bytes()
    return path
