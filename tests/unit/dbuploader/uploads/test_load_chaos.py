"""A consumer that is killed again and again, at random moments."""

import random
import time

import pytest

from muster.broker import open_broker
from muster.contracts.uploads import RowCounts, State
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.test_consumer import consuming, publish

UPLOADS = 20
ROWS = 60_000


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_random_kills_leave_each_upload_loaded_once_or_failed(suite: Suite) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    broker = open_broker(suite.urls["broker_url"])
    uploads = []
    for number in range(UPLOADS):
        first = 10 + number * ROWS
        content = "".join(f"{key},Job {key}\n" for key in range(first, first + ROWS))
        uploads.append(suite.accept("jobs", content + "x\n"))
        publish(broker, uploads[-1])

    kills = 0
    while not all(suite.store.get(upload_id).announced for upload_id in uploads):
        with consuming(suite):
            # The moment of the kill is the subject here, so there is no condition to wait for.
            time.sleep(chance.uniform(0.6, 1.8))
        kills += 1
    print("kills", kills)

    states = [suite.store.get(upload_id) for upload_id in uploads]
    loaded = [upload for upload in states if upload.state == State.COMPLETED_WITH_REJECTS]
    failed = [upload for upload in states if upload.state == State.FAILED]
    assert len(loaded) + len(failed) == UPLOADS
    assert all(upload.rows == RowCounts(ROWS + 1, inserted=ROWS, rejected=1) for upload in loaded)
    assert all(upload.rows == RowCounts() for upload in failed)
    assert len(suite.rows("jobs")) == 3 + ROWS * len(loaded)
    broker.close()
