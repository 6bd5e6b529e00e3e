"""What waits is measured though nobody works on it."""

import math
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from gateway.relay import BacklogMeter
from gateway.settings import Settings
from muster.broker import BrokerUnavailable, QueueDepth
from muster.contracts.uploads import State, now
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.contract.rawrecords import set_raw
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import FakeBroker


class EmailBroker(FakeBroker):
    def depth(self, queue: str) -> QueueDepth:
        self.check()
        return {"dbuploader": QueueDepth(2, 1), "notification": QueueDepth(3, 4)}[queue]


def measured() -> list[float | None]:
    names = ("unfinished_uploads", "unfinished_age_seconds", "set_aside_records", "waiting_emails")
    return [REGISTRY.get_sample_value(f"muster_{name}") for name in names]


def dead_letters() -> list[float | None]:
    return [
        REGISTRY.get_sample_value("muster_dead_letters", {"queue": queue})
        for queue in ("dbuploader", "notification")
    ]


def test_uploads_emails_and_records_that_wait_are_measured(
    stores: Stores, settings: Settings
) -> None:
    time = 0.0
    meter = BacklogMeter(stores.uploads, EmailBroker(), clock=lambda: time)
    meter.measure_if_due()
    assert measured() == [0, 0, 0, 3]
    assert dead_letters() == [1, 4]
    for number, seconds in enumerate((500, 400, 300, 200)):
        submitted_at = now() - timedelta(seconds=seconds)
        stores.uploads.accept(an_upload(id=f"u-{number}", submitted_at=submitted_at))
    set_raw(str(settings.csv_store_url), "u-0", state="undone")
    stores.uploads.update("u-1", expect=set(State), state=State.COMPLETED, announced=True)
    meter.measure_if_due()
    assert measured() == [0, 0, 0, 3]
    time = 60.0
    meter.measure_if_due()
    uploads, age, set_aside, _ = measured()
    assert (uploads, set_aside) == (2, 1)
    assert age is not None
    assert 300 <= age < 400


def test_without_a_broker_the_uploads_are_measured_all_the_same(stores: Stores) -> None:
    broker = EmailBroker(down=True)
    with pytest.raises(BrokerUnavailable):
        broker.depth("notification")
    stores.uploads.accept(an_upload())
    BacklogMeter(stores.uploads, broker).measure_if_due()
    uploads, _, _, emails = measured()
    assert uploads == 1
    assert emails is not None
    assert math.isnan(emails)
    assert [str(value) for value in dead_letters()] == ["nan", "nan"]


def test_a_store_that_is_away_is_told(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(stores.uploads, "backlog", away)
    with pytest.raises(StoreUnavailable):
        BacklogMeter(stores.uploads, EmailBroker()).measure_if_due()
