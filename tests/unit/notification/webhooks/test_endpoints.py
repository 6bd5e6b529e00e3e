"""Endpoints are one's own, ten at most; their secrets are shown once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from muster.database import ConstraintViolated, Database
from notification.channels.webhook import schema
from notification.channels.webhook.addresses import WrongUrl
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Changes, Endpoints
from notification.channels.webhook.errors import EndpointNotFound, TooManyEndpoints
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.sealing import SecretBox
from tests.unit.notification.webhooks.conftest import Clock

URL = "https://hooks.example.com/muster"


def test_an_endpoint_is_kept_with_its_secret_sealed(
    endpoints: Endpoints, database: Database, box: SecretBox
) -> None:
    added = endpoints.add("ana", URL, "payroll")
    assert added.secret is not None
    assert added.secret.startswith("whsec_")
    (kept,) = endpoints.all("ana")
    assert (kept.id, kept.url, kept.secret) == (added.id, URL, None)
    with database.read() as connection:
        row = connection.execute(select(schema.endpoints)).one()
    assert not any(added.secret[6:] in str(value) for value in row)
    assert box.open(added.id, row.secret) == added.secret


def test_nobody_sees_or_touches_those_of_others(endpoints: Endpoints) -> None:
    added = endpoints.add("ana", URL, "")
    assert endpoints.all("bob") == []
    for call in (
        lambda: endpoints.get("bob", added.id),
        lambda: endpoints.change("bob", added.id, Changes(enabled=False)),
        lambda: endpoints.delete("bob", added.id),
    ):
        with pytest.raises(EndpointNotFound):
            call()
    assert endpoints.get("ana", added.id).enabled


def test_a_user_has_ten_also_when_they_come_at_once(endpoints: Endpoints) -> None:
    def add(number: int) -> bool:
        for _ in range(30):
            try:
                endpoints.add("ana", f"{URL}/{number}", "")
            except ConstraintViolated:
                continue
            except TooManyEndpoints:
                return False
            return True
        raise AssertionError("never its turn")

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(13))) == 10
    endpoints.delete("ana", endpoints.all("ana")[0].id)
    assert endpoints.add("ana", URL, "").enabled
    assert endpoints.add("bob", URL, "").enabled


def test_a_rotated_secret_is_shown_once_and_both_sign_for_a_day(
    endpoints: Endpoints,
    deliveries: Deliveries,
    queue: DeliveryQueue,
    box: SecretBox,
    clock: Clock,
) -> None:
    added = endpoints.add("ana", URL, "")
    rotated = endpoints.change("ana", added.id, Changes(rotate_secret=True))
    assert rotated.secret not in {None, added.secret}
    assert endpoints.get("ana", added.id).secret is None

    def signing() -> list[str]:
        deliveries.enter_finished("ana", f"upload-{clock.now}")
        (due,) = queue.due(9, failing=False)
        lease = queue.lease(due)
        assert lease is not None
        job = queue.next(lease)
        queue.release(lease)
        assert job is not None
        return [box.open(added.id, each) for each in job.secrets]

    assert signing() == [rotated.secret, added.secret]
    clock.now += 24 * 3600 * 1000
    assert signing() == [rotated.secret]


def test_a_wrong_url_is_neither_added_nor_taken(endpoints: Endpoints) -> None:
    with pytest.raises(WrongUrl):
        endpoints.add("ana", "https://10.0.0.1/", "")
    added = endpoints.add("ana", URL, "")
    with pytest.raises(WrongUrl):
        endpoints.change("ana", added.id, Changes(url="https://[::1]/"))
    assert endpoints.get("ana", added.id).url == URL


def test_disabling_buries_what_waits_and_enabling_begins_anew(
    endpoints: Endpoints, deliveries: Deliveries, queue: DeliveryQueue
) -> None:
    added = endpoints.add("ana", URL, "")
    deliveries.enter_finished("ana", "upload-1")
    off = endpoints.change("ana", added.id, Changes(enabled=False, description="off"))
    assert (off.enabled, off.description) == (False, "off")
    (dead,) = deliveries.list("ana", added.id, None, 9).deliveries
    assert (dead.state, dead.reason) == ("dead", "the webhook was disabled")
    assert deliveries.enter_finished("ana", "upload-2") == 0
    on = endpoints.change("ana", added.id, Changes(enabled=True))
    assert (on.enabled, on.reason) == (True, None)
    assert deliveries.enter_finished("ana", "upload-3") == 1
    assert len(queue.due(9, failing=False)) == 1


def test_what_was_sent_goes_with_its_endpoint(
    endpoints: Endpoints, deliveries: Deliveries, database: Database
) -> None:
    added = endpoints.add("ana", URL, "")
    deliveries.enter_finished("ana", "upload-1")
    endpoints.delete("ana", added.id)
    with database.read() as connection:
        assert connection.execute(select(schema.deliveries)).all() == []
