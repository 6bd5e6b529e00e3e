"""How a consumer runs: one active at a time, ticking, waking up, stopping."""

import threading
from contextlib import closing

import pytest

from muster.broker import Ack, Broker, Delivery, QueueDepth, Verdict, open_broker
from tests.contract.consuming import Background, bodies, consume, publish
from tests.waiting import DEADLINE_SECONDS, eventually

# The simulation has no threads, and so nothing of this.
pytestmark = pytest.mark.usefixtures("broker_url")


def test_the_handler_has_a_thread_of_its_own(broker: Broker) -> None:
    publish(broker, b"a")
    threads: list[int] = []

    def handle(_delivery: Delivery) -> Verdict:
        threads.append(threading.get_ident())
        return Ack()

    consume(broker, 1, handle)
    assert threads != [threading.get_ident()]


def test_the_consumer_ticks_in_its_own_thread_while_a_message_is_handled(broker: Broker) -> None:
    publish(broker, b"a")
    done = threading.Event()

    def handle(_delivery: Delivery) -> Verdict:
        assert done.wait(DEADLINE_SECONDS)
        return Ack()

    with Background(broker, handle) as consumer:
        eventually(lambda: len(consumer.deliveries) == 1)
        before = consumer.ticks
        eventually(lambda: consumer.ticks >= before + 2)
        assert consumer.tick_threads == {consumer.thread.ident}
        done.set()


def test_an_idle_consumer_ticks_at_least_once_a_second(broker: Broker) -> None:
    def four_followed_in_four_seconds() -> bool:
        latest = consumer.ticked_at[-5:]
        return len(latest) == 5 and latest[-1] - latest[0] < 4

    with Background(broker) as consumer:
        # Perhaps not the first: the machine may stall. A consumer that ticks less often never does.
        eventually(four_followed_in_four_seconds)


def test_one_consumer_is_active_and_the_other_ticks_and_takes_over(broker_url: str) -> None:
    with (
        closing(open_broker(broker_url)) as one,
        closing(open_broker(broker_url)) as two,
        Background(one) as active,
    ):
        publish(one, b"a")
        eventually(lambda: len(active.deliveries) == 1)
        with Background(two) as standby:
            eventually(lambda: standby.ticks >= 2)
            # More than one: taking turns would begin with the one that is there already.
            for text in (b"b", b"c"):
                publish(two, text)
                eventually(lambda text=text: bodies(active.deliveries)[-1] == text)  # type: ignore[misc]
            assert standby.deliveries == []
            active.stop.set()
            active.thread.join(DEADLINE_SECONDS)
            publish(one, b"d")
            eventually(lambda: bodies(standby.deliveries) == [b"d"])


def test_a_consumer_is_told_which_message_is_its_first(broker: Broker, broker_url: str) -> None:
    publish(broker, b"a", b"b")
    with closing(open_broker(broker_url)) as other:
        firsts = [delivery.first for delivery in consume(broker, 2)]
        publish(broker, b"c", b"d")
        firsts += [delivery.first for delivery in consume(other, 2)]
    assert firsts == [True, False, True, False]


def test_queues_have_active_consumers_of_their_own(broker: Broker) -> None:
    with Background(broker) as consumer:
        eventually(lambda: consumer.ticks >= 1)
        broker.publish("upload.finished", b"a", {})
        assert bodies(consume(broker, 1, queue="notification")) == [b"a"]


def test_a_waiting_consumer_wakes_up_when_a_message_is_published(broker: Broker) -> None:
    ticks_at_arrival: list[int] = []

    def handle(_delivery: Delivery) -> Verdict:
        ticks_at_arrival.append(consumer.ticks)
        return Ack()

    def one_wakes_it_between_two_ticks() -> bool:
        arrived, before = len(ticks_at_arrival), consumer.ticks
        eventually(lambda: consumer.ticks > before)
        ticks = consumer.ticks
        publish(broker, b"a")
        eventually(lambda: len(ticks_at_arrival) > arrived)
        return ticks_at_arrival[-1] == ticks

    with Background(broker, handle) as consumer:
        # One that only looks each time it ticks finds none sooner; a slow machine may need a few.
        eventually(one_wakes_it_between_two_ticks)


def test_a_stop_waits_for_the_verdict_and_heeds_it(broker: Broker) -> None:
    publish(broker, b"a", b"b")
    finish = threading.Event()

    def handle(_delivery: Delivery) -> Verdict:
        assert finish.wait(DEADLINE_SECONDS)
        return Ack()

    with Background(broker, handle) as consumer:
        eventually(lambda: len(consumer.deliveries) == 1)
        consumer.stop.set()
        before = consumer.ticks
        eventually(lambda: consumer.ticks >= before + 2)
        finish.set()
    assert bodies(consumer.deliveries) == [b"a"]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0))


def test_a_consumer_told_to_stop_before_it_starts_takes_nothing(broker: Broker) -> None:
    publish(broker, b"a")
    stop = threading.Event()
    stop.set()
    broker.consume("dbuploader", lambda _delivery: Ack(), stop=stop, tick=lambda: None)
    eventually(lambda: broker.depth("dbuploader").waiting == 1)


class TickBroke(Exception):
    pass


def test_an_exception_of_tick_ends_the_consumer_and_keeps_the_message(broker: Broker) -> None:
    publish(broker, b"a")
    handling = threading.Event()

    def handle(_delivery: Delivery) -> Verdict:
        handling.set()
        assert broke.wait(DEADLINE_SECONDS)
        return Ack()

    broke = threading.Event()

    def tick() -> None:
        if handling.is_set():
            broke.set()
            raise TickBroke

    with pytest.raises(TickBroke):
        broker.consume("dbuploader", handle, stop=threading.Event(), tick=tick)
    assert bodies(consume(broker, 1)) == [b"a"]


def test_a_consumer_ticks_on_and_stops_while_the_broker_does_not_answer(
    unreachable_broker: Broker,
) -> None:
    with Background(unreachable_broker) as consumer:
        eventually(lambda: consumer.ticks >= 3)
