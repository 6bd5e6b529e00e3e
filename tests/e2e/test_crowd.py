"""A crowd: many small files by eight clients at once, each loaded in its turn and as if alone.

Most of them are loaded by runs, in which many share a transaction. They write the same few rows, so
that each load's counts tell which others came before it.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from embedded.client import Client, Json
from tests.e2e.conftest import ADMIN
from tests.e2e.families import Family
from tests.e2e.model import Model
from tests.e2e.workload import UploadFile, make_files

CLIENTS = 8
ROWS = 5
HIRES = range(1, 400)
SECONDS_AN_UPLOAD = 0.5
COUNTS = [
    pytest.param("embedded", 20_000, id="embedded"),
    pytest.param("servers", 2_000, id="servers"),
]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(7200)]


def send(client: Client, files: Sequence[UploadFile]) -> list[float]:
    """Post the files, one after the other; returns when each was begun to be."""
    begun = []
    for file in files:
        begun.append(time.monotonic())
        file.accepted = client.upload(file.name, file.content, **file.options)
        file.accepted_at = time.monotonic()
    return begun


def finished(admin: Client, count: int) -> list[Json]:
    """All uploads in the order of their acceptance, once the last of so many is final."""
    newest = admin.uploads()[0]
    admin.wait(newest["id"], seconds=count * SECONDS_AN_UPLOAD)
    return admin.uploads()[::-1]


@pytest.mark.parametrize(("family", "count"), COUNTS, indirect=["family"])
def test_each_of_a_crowd_is_loaded_in_its_turn(family: Family, count: int) -> None:
    files = make_files(count, ROWS, seed=18, hires=HIRES)
    shares = [files[place::CLIENTS] for place in range(CLIENTS)]
    with family.run() as suite, ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as threads:
        password = suite.admin_password()
        admin, *clients = (
            stack.enter_context(Client(suite.url, ADMIN, password)) for _ in range(1 + CLIENTS)
        )
        sent = list(threads.map(send, clients, shares))
        uploads = finished(admin, count)

        begun = {
            file.accepted["id"]: moment
            for share, moments in zip(shares, sent, strict=True)
            for file, moment in zip(share, moments, strict=True)
        }
        by_id = {file.accepted["id"]: file for file in files}
        assert len(uploads) == len(by_id) == count
        assert by_id.keys() == {upload["id"] for upload in uploads}
        model, latest = Model(), 0.0
        for upload in uploads:
            file = by_id[upload["id"]]
            # None that was accepted before another was begun comes after it.
            assert file.accepted_at >= latest
            latest = max(latest, begun[upload["id"]])
            assert (upload["state"], upload["rows"]) == model.load(file), upload
        model.assert_held_by(admin)
