"""Dead letters: what an operator is told of them, and replaying them."""

from datetime import UTC, datetime

import pytest

from muster.broker import (
    DELIVERY_LIMIT,
    Broker,
    DeadLetter,
    DeadMessage,
    Delivery,
    QueueDepth,
    Retry,
    Verdict,
)
from tests.contract.children import Child
from tests.contract.consuming import bodies, consume, publish
from tests.waiting import eventually

# The simulation lists no dead letters.
pytestmark = pytest.mark.usefixtures("broker_url")


def bury(broker: Broker, *texts: bytes) -> None:
    publish(broker, *texts)
    consume(broker, len(texts), lambda it: DeadLetter(f"why {it.body.decode()}"))


def dead_bodies(letters: list[DeadMessage]) -> list[bytes]:
    return bodies([letter.delivery for letter in letters])


def test_a_dead_letter_tells_what_it_was_and_why_and_when_it_died(broker: Broker) -> None:
    broker.publish("upload.accepted", b"a", {"X-Request-Id": "r-1"})
    before = datetime.now(UTC).replace(microsecond=0)
    consume(broker, 1, lambda _delivery: DeadLetter("can't be read"))
    [letter] = broker.dead_letters("dbuploader", 10)
    assert letter.delivery == Delivery("upload.accepted", b"a", {"X-Request-Id": "r-1"})
    assert letter.reason == "can't be read"
    assert before <= letter.died_at <= datetime.now(UTC)


def test_a_dead_letter_died_when_it_was_given_up_and_not_when_it_was_put_off(
    broker: Broker,
) -> None:
    publish(broker, b"a")
    verdicts: list[Verdict] = [Retry(0.01), DeadLetter("given up")]
    consume(broker, 2, lambda _delivery: verdicts.pop(0))
    [letter] = broker.dead_letters("dbuploader", 10)
    assert letter.reason == "given up"
    assert letter.delivery.headers == {}


def test_dead_letters_are_listed_oldest_first_up_to_the_limit(broker: Broker) -> None:
    bury(broker, b"a", b"b", b"c")
    assert dead_bodies(broker.dead_letters("dbuploader", 2)) == [b"a", b"b"]
    assert dead_bodies(broker.dead_letters("dbuploader", 10)) == [b"a", b"b", b"c"]
    assert broker.dead_letters("notification", 10) == []


def test_dead_letters_that_were_listed_stay_as_they_are(broker: Broker) -> None:
    bury(broker, b"a", b"b", b"c")

    def listed() -> list[tuple[bytes, str, datetime]]:
        letters = broker.dead_letters("dbuploader", 2)
        return [(each.delivery.body, each.reason, each.died_at) for each in letters]

    first = listed()
    assert [body for body, *_ in first] == [b"a", b"b"]
    # More often than a message with a delivery limit would bear.
    for _ in range(DELIVERY_LIMIT + 5):
        # A slow broker may still be putting back what was listed last.
        eventually(lambda: listed() == first)
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=3))


def test_replayed_dead_letters_go_to_the_end_of_their_queue(broker: Broker) -> None:
    publish(broker, b"a", b"b")
    broker.publish("upload.finished", b"other", {})
    consume(broker, 2, lambda _delivery: DeadLetter("not now"))
    consume(broker, 1, lambda _delivery: DeadLetter("not now"), queue="notification")
    publish(broker, b"c")
    assert broker.replay_dead_letters("dbuploader") == 2
    assert broker.replay_dead_letters("dbuploader") == 0
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=3, dead=0))
    eventually(lambda: broker.depth("notification") == QueueDepth(waiting=0, dead=1))
    assert bodies(consume(broker, 3)) == [b"c", b"a", b"b"]


def test_a_replayed_dead_letter_is_the_message_it_was(broker: Broker) -> None:
    broker.publish("upload.accepted", b"a", {"X-Request-Id": "r-1"})
    consume(broker, 1, lambda _delivery: DeadLetter("not now"))
    broker.replay_dead_letters("dbuploader")
    [delivery] = consume(broker, 1)
    assert delivery.routing_key == "upload.accepted"
    assert delivery.headers["X-Request-Id"] == "r-1"
    assert delivery.attempt == 1


def test_a_killed_replay_loses_nothing(broker: Broker, broker_url: str) -> None:
    texts = [b"%d" % number for number in range(40)]
    bury(broker, *texts)
    with Child("replay", broker_url) as replay:
        replay.lines(1)
        eventually(lambda: broker.depth("dbuploader").waiting > 0)
        replay.kill()
    eventually(lambda: sum(vars(broker.depth("dbuploader")).values()) >= len(texts))
    broker.replay_dead_letters("dbuploader")
    waiting = broker.depth("dbuploader").waiting
    # The one that it was about to remove may be there twice.
    assert waiting in {len(texts), len(texts) + 1}
    assert {*bodies(consume(broker, waiting))} == {*texts}
