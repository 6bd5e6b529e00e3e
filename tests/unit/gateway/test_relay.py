"""The relay: what could not be published is, in order; orphans are swept away."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gateway.relay import Relay
from muster.broker import BrokerUnavailable
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import Upload, now
from muster.stores import Stores
from tests.unit.gateway.fakes import FakeBroker, stored_files


def accept(stores: Stores, upload_id: str, seconds_ago: float = 60) -> None:
    stores.uploads.accept(
        Upload(
            id=upload_id,
            table="jobs",
            filename="jobs.csv",
            size=0,
            sha256="",
            owner="ana",
            submitted_by="ana@example.com",
            submitted_at=now() - timedelta(seconds=seconds_ago),
            request_id=f"r-{upload_id}",
            traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        )
    )


def published(broker: FakeBroker) -> list[str]:
    return [UploadAccepted.from_body(body).upload_id for _, body, _ in broker.published]


@pytest.fixture
def relay(stores: Stores, broker: FakeBroker) -> Relay:
    return Relay(stores, broker, sweep_after=0)


def test_what_was_left_is_published_oldest_first_and_once(
    stores: Stores, broker: FakeBroker, relay: Relay
) -> None:
    for upload_id in ("a", "b", "c"):
        accept(stores, upload_id)
    relay.turn()
    relay.turn()
    assert published(broker) == ["a", "b", "c"]
    assert broker.published[0][2]["X-Request-Id"] == "r-a"
    assert stores.uploads.unpublished(10) == []


def test_what_the_gateway_is_just_publishing_is_left_to_it(
    stores: Stores, broker: FakeBroker, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(stores, "old")
    accept(stores, "new", seconds_ago=0)
    monkeypatch.setattr("gateway.relay.GRACE", timedelta(seconds=30))
    relay.turn()
    assert published(broker) == ["old"]


def test_nothing_overtakes_what_could_not_be_published(
    stores: Stores, broker: FakeBroker, relay: Relay
) -> None:
    accept(stores, "a")
    accept(stores, "b")
    broker.down = True
    with pytest.raises(BrokerUnavailable):
        relay.turn()
    assert broker.attempts == 1
    broker.down = False
    relay.turn()
    assert published(broker) == ["a", "b"]


def test_the_age_of_the_outbox_is_measured(stores: Stores, relay: Relay) -> None:
    accept(stores, "a", seconds_ago=100)
    relay.turn()
    age = REGISTRY.get_sample_value("muster_outbox_age_seconds")
    assert age is not None
    assert 100 <= age < 160
    relay.turn()
    assert REGISTRY.get_sample_value("muster_outbox_age_seconds") == 0


def test_files_of_no_upload_are_swept_away(stores: Stores, relay: Relay, tmp_path: Path) -> None:
    accept(stores, "known")
    for name in ("known", "orphan"):
        with stores.files.write(name) as file:
            file.write(b"1,a")
    relay.turn()
    assert stored_files(tmp_path) == ["known"]


def test_the_relay_goes_on_while_the_broker_is_away_and_stops_when_told(
    stores: Stores, broker: FakeBroker, relay: Relay
) -> None:
    accept(stores, "a")
    broker.down = True
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    waiting = threading.Event()
    while broker.attempts == 0:
        waiting.wait(0.01)
    broker.down = False
    while not broker.published:
        waiting.wait(0.01)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    relay.check()


def test_a_relay_that_takes_no_turns_is_not_well(stores: Stores, broker: FakeBroker) -> None:
    time = 0.0
    relay = Relay(stores, broker, 0, clock=lambda: time)
    relay.check()
    time = 61
    with pytest.raises(RuntimeError):
        relay.check()


def test_what_is_published_late_is_logged_with_its_request_and_user(
    stores: Stores, relay: Relay
) -> None:
    accept(stores, "a")
    with capture_logs(processors=[merge_contextvars]) as logs:
        relay.turn()
    line = logs[0]
    assert (line["event"], line["upload_id"]) == ("published late", "a")
    assert (line["request_id"], line["user"]) == ("r-a", "ana")
