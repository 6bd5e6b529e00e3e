"""A consumer that is killed again and again, at random moments."""

import json
import random
import time

import pytest

from muster.broker import Broker, open_broker
from muster.contracts.uploads import RowCounts, State
from tests.contract.consuming import bodies, consume
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.test_consumer import consuming, publish
from tests.waiting import eventually

UPLOADS = 20
ROWS = 60_000


def accept(suite: Suite, broker: Broker, number: int) -> str:
    """An upload of new jobs, one of its rows wrong, and its message."""
    first = 10 + number * ROWS
    content = "".join(f"{key},Job {key}\n" for key in range(first, first + ROWS))
    upload_id = suite.accept("jobs", content + "x\n")
    publish(broker, upload_id)
    return upload_id


def read_finished(body: bytes) -> str:
    return str(json.loads(body)["upload_id"])


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_random_kills_leave_each_upload_loaded_once_or_failed(suite: Suite) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    broker = open_broker(suite.urls["broker_url"])
    uploads = [accept(suite, broker, 0)]
    began = time.monotonic()
    with consuming(suite):
        eventually(lambda: not broker.depth("dbuploader").waiting, 120)
        # From the start of the process to the end of its first load, on this machine.
        seconds = time.monotonic() - began
    uploads += [accept(suite, broker, number) for number in range(1, UPLOADS)]

    kills = 0
    while broker.depth("dbuploader").waiting:
        with consuming(suite):
            # The moment of the kill is the subject here, so there is no condition to wait for.
            time.sleep(seconds * chance.uniform(0.4, 1.2))
        kills += 1
    print("kills", kills)

    waiting = broker.depth("notification").waiting
    told = {read_finished(body) for body in bodies(consume(broker, waiting, queue="notification"))}
    assert told == set(uploads)
    states = [suite.store.get(upload_id) for upload_id in uploads]
    loaded = [upload for upload in states if upload.state == State.COMPLETED_WITH_REJECTS]
    failed = [upload for upload in states if upload.state == State.FAILED]
    assert len(loaded) + len(failed) == UPLOADS
    assert all(upload.rows == RowCounts(ROWS + 1, inserted=ROWS, rejected=1) for upload in loaded)
    assert all(upload.rows == RowCounts() for upload in failed)
    assert len(suite.rows("jobs")) == 3 + ROWS * len(loaded)
    broker.close()
