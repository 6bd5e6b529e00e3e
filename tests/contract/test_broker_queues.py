"""What a broker keeps: every message, in order, in its queue, until it is answered for."""

from contextlib import closing
from functools import partial

import pytest

from muster.broker import (
    BINDINGS,
    Broker,
    BrokerUnavailable,
    QueueDepth,
    Unroutable,
    open_broker,
)
from tests.contract.at_once import at_once
from tests.contract.consuming import bodies, consume, publish
from tests.waiting import eventually


def test_messages_come_oldest_first(broker: Broker) -> None:
    texts = [b"%d" % number for number in range(20)]
    publish(broker, *texts)
    assert bodies(consume(broker, 20)) == texts


def test_a_message_comes_as_it_was_published(broker: Broker) -> None:
    body = bytes(range(256))
    headers = {"X-Request-Id": "r-1", "traceparent": "00-é"}
    broker.publish("upload.accepted", body, headers)
    [delivery] = consume(broker, 1)
    assert delivery.routing_key == "upload.accepted"
    assert delivery.body == body
    assert dict(delivery.headers) == headers
    assert delivery.attempt == 1


@pytest.mark.parametrize(("routing_key", "queue"), BINDINGS.items())
def test_a_routing_key_leads_to_its_queue_only(
    broker: Broker, routing_key: str, queue: str
) -> None:
    broker.publish(routing_key, b"text", {})
    depths = {other: QueueDepth(waiting=int(other == queue), dead=0) for other in BINDINGS.values()}
    eventually(lambda: {other: broker.depth(other) for other in depths} == depths)
    assert bodies(consume(broker, 1, queue=queue)) == [b"text"]


def test_an_unknown_routing_key_is_unroutable(broker: Broker) -> None:
    with pytest.raises(Unroutable, match=r"upload\.lost"):
        broker.publish("upload.lost", b"", {})


def test_messages_outlive_the_connection_that_published_them(broker_url: str) -> None:
    with closing(open_broker(broker_url)) as first:
        publish(first, b"a", b"b")
    with closing(open_broker(broker_url)) as second:
        assert bodies(consume(second, 2)) == [b"a", b"b"]


def test_an_acknowledged_message_is_forgotten(broker: Broker) -> None:
    publish(broker, b"a", b"b")
    consume(broker, 1)
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0))
    assert bodies(consume(broker, 1)) == [b"b"]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=0))


def test_threads_may_publish_at_once(broker: Broker) -> None:
    def publish_ten(name: int) -> None:
        publish(broker, *(b"%d-%d" % (name, number) for number in range(10)))

    at_once([partial(publish_ten, name) for name in range(8)])
    received = bodies(consume(broker, 80))
    assert len(set(received)) == 80
    for name in range(8):
        mine = [text for text in received if text.startswith(b"%d-" % name)]
        assert mine == [b"%d-%d" % (name, number) for number in range(10)]


def test_a_broker_that_answers_passes_its_check(broker: Broker) -> None:
    broker.check()


def test_a_broker_that_does_not_answer_is_unavailable(unreachable_broker: Broker) -> None:
    with pytest.raises(BrokerUnavailable):
        unreachable_broker.publish("upload.accepted", b"", {})
    with pytest.raises(BrokerUnavailable):
        unreachable_broker.depth("dbuploader")
    with pytest.raises(BrokerUnavailable):
        unreachable_broker.dead_letters("dbuploader", 1)
    with pytest.raises(BrokerUnavailable):
        unreachable_broker.replay_dead_letters("dbuploader")
    with pytest.raises(BrokerUnavailable):
        unreachable_broker.check()
