"""What a broker without its data is told again."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.republish import republish
from muster.broker import BrokerUnavailable, open_broker
from muster.contracts.messages import UploadAccepted, UploadFinished
from muster.contracts.uploads import Email, EmailState, State, Upload, now
from muster.stores import Stores
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import FakeBroker


def accept(stores: Stores, upload_id: str, state: State, email: EmailState | None) -> Upload:
    told = None if email is None else Email(email, now(), "why")
    done = {"published": True, "announced": True, "finished_at": now()}
    return stores.uploads.accept(an_upload(id=upload_id, state=state, email=told, **done))


def test_what_is_not_final_and_what_was_not_told_is_published_again(
    stores: Stores, broker: FakeBroker
) -> None:
    queued = accept(stores, "queued", State.QUEUED, None)
    accept(stores, "loading", State.LOADING, None)
    accept(stores, "sent", State.COMPLETED, EmailState.SENT)
    accept(stores, "refused", State.FAILED, EmailState.REFUSED)
    untold = accept(stores, "untold", State.COMPLETED, None)
    accept(stores, "waiting", State.CANCELLED, EmailState.WAITING)
    accept(stores, "given-up", State.VALIDATED, EmailState.GIVEN_UP)
    assert republish(stores.uploads, broker) == (2, 3)
    messages = {(key, body) for key, body, _ in broker.published}
    assert len(messages) == 5
    assert ("upload.accepted", UploadAccepted.about(queued).to_body()) in messages
    assert ("upload.finished", UploadFinished.about(untold).to_body()) in messages
    assert {headers["X-Request-Id"] for *_, headers in broker.published} == {"r-1"}


def test_records_beyond_a_page_are_reached(
    stores: Stores, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.republish._PAGE", 2)
    for number in range(5):
        accept(stores, f"u-{number}", State.QUEUED, None)
    assert republish(stores.uploads, broker) == (5, 0)


def test_a_broker_that_does_not_answer_is_told(stores: Stores, broker: FakeBroker) -> None:
    accept(stores, "queued", State.QUEUED, None)
    broker.down = True
    with pytest.raises(BrokerUnavailable):
        republish(stores.uploads, broker)


def test_the_command_says_what_it_published(stores: Stores, tmp_path: Path) -> None:
    accept(stores, "queued", State.QUEUED, None)
    command = [sys.executable, "-m", "gateway.republish"]
    environment = {**os.environ, "MUSTER_HOME": str(tmp_path)}
    output = subprocess.check_output(command, env=environment, text=True, timeout=100)
    assert output == "published: 1 upload.accepted, 0 upload.finished\n"
    with closing(open_broker(f"sqlite:///{tmp_path}/broker.db")) as broker:
        assert broker.depth("dbuploader").waiting == 1
