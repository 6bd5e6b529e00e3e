"""What a RabbitMQ node refuses, or can't take now: said in words, and nothing is lost by it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from pika import BlockingConnection, URLParameters
from pika.adapters.blocking_connection import BlockingChannel

from muster.broker import (
    Ack,
    Broker,
    BrokerUnavailable,
    DeadLetter,
    Retry,
    Unroutable,
    Verdict,
    open_broker,
)
from tests.contract.consuming import Background, bodies, consume, is_published, publish
from tests.servers.rabbitmq import RabbitServer
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("rabbitmq-node")


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}."


@pytest.fixture
def broker(rabbitmq_node: RabbitServer, prefix: str) -> Iterator[Broker]:
    with closing(open_broker(rabbitmq_node.url(prefix=prefix, deadline_seconds="60"))) as broker:
        yield broker


@pytest.fixture
def channel(rabbitmq_node: RabbitServer) -> Iterator[BlockingChannel]:
    """An operator's."""
    with closing(BlockingConnection(URLParameters(rabbitmq_node.url()))) as connection:
        yield connection.channel()


def why_not(call: Callable[[], object]) -> str:
    try:
        call()
    except BrokerUnavailable as error:
        return str(error)
    return ""


@contextmanager
def short_of_memory(node: RabbitServer, broker: Broker) -> Iterator[None]:
    node.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.00001)")
    try:
        # The node tells those that publish, once they do.
        eventually(lambda: "memory" in why_not(lambda: publish(broker, b"in between")))
        yield
    finally:
        node.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.6)")
        eventually(lambda: not why_not(broker.check))


def test_a_memory_alarm_stops_publishers_and_no_consumer(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    publish(broker, b"a", b"b")
    with short_of_memory(rabbitmq_node, broker):
        with pytest.raises(BrokerUnavailable, match=r"it takes no messages now: .*memory"):
            broker.check()
        assert bodies(consume(broker, 2)) == [b"a", b"b"]
    publish(broker, b"c")
    with Background(broker) as consumer:
        eventually(lambda: b"c" in bodies(consumer.deliveries))
    assert {b"a", b"b"}.isdisjoint(bodies(consumer.deliveries))


def test_a_message_that_cannot_be_put_off_now_is_kept(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    publish(broker, b"a")
    with short_of_memory(rabbitmq_node, broker):
        with Background(broker, lambda _delivery: Retry(0.01)) as consumer:
            eventually(lambda: len(consumer.deliveries) == 1)
        eventually(lambda: broker.depth("dbuploader").waiting == 1)
    assert bodies(consume(broker, 1)) == [b"a"]


def test_a_message_is_put_off_once_its_retry_queue_is_there_again(
    broker: Broker, channel: BlockingChannel, prefix: str
) -> None:
    publish(broker, b"a")
    channel.queue_delete(f"{prefix}dbuploader.retry.10s")
    verdicts: list[Verdict] = [Retry(0.01), Ack()]
    deliveries = consume(broker, 2, lambda _delivery: verdicts.pop(0))
    assert [delivery.attempt for delivery in deliveries] == [1, 2]


def test_a_message_that_no_queue_takes_is_unroutable_until_the_binding_is_declared_again(
    broker: Broker, channel: BlockingChannel, prefix: str
) -> None:
    publish(broker, b"a")
    channel.queue_unbind(f"{prefix}dbuploader", f"{prefix}muster", "upload.accepted")
    with pytest.raises(Unroutable, match=r"upload\.accepted"):
        publish(broker, b"lost")
    eventually(lambda: is_published(broker, b"b"))
    assert bodies(consume(broker, 2)) == [b"a", b"b"]


@pytest.fixture
def full_queue(rabbitmq_node: RabbitServer, broker: Broker, prefix: str) -> Iterator[None]:
    """The queue `dbuploader`, with a dead letter."""
    publish(broker, b"dead")
    consume(broker, 1, lambda _delivery: DeadLetter("why"))
    rabbitmq_node.evaluate(
        f'rabbit_policy:parse_set(<<"/">>, <<"full">>, <<"^{prefix}dbuploader$">>,'
        ' <<"{\\"max-length\\": 1}">>, 0, <<"queues">>, <<"test">>)'
    )
    eventually(lambda: "the message was refused" in why_not(lambda: publish(broker, b"fills")))
    yield
    rabbitmq_node.evaluate('rabbit_policy:delete(<<"/">>, <<"full">>, <<"test">>)')


@pytest.mark.usefixtures("full_queue")
def test_a_message_that_its_full_queue_refuses_does_not_count_as_published(broker: Broker) -> None:
    waiting = broker.depth("dbuploader").waiting
    with pytest.raises(BrokerUnavailable, match="the message was refused"):
        publish(broker, b"a")
    assert broker.depth("dbuploader").waiting == waiting


@pytest.mark.usefixtures("full_queue")
def test_a_replay_into_a_full_queue_keeps_its_dead_letter(broker: Broker) -> None:
    with pytest.raises(BrokerUnavailable, match="the message was refused"):
        broker.replay_dead_letters("dbuploader")
    eventually(lambda: broker.depth("dbuploader").dead == 1)


def test_messages_are_persistent(broker: Broker, channel: BlockingChannel, prefix: str) -> None:
    publish(broker, b"a")
    channel.queue_declare(f"{prefix}spy", exclusive=True)
    channel.queue_bind(f"{prefix}spy", f"{prefix}muster", "upload.#")
    publish(broker, b"b")
    _, properties, body = channel.basic_get(f"{prefix}spy", auto_ack=True)
    assert properties is not None
    assert (body, properties.delivery_mode) == (b"b", 2)


def test_a_queue_declared_differently_is_named_with_what_to_do(
    broker: Broker, channel: BlockingChannel, prefix: str
) -> None:
    channel.queue_declare(f"{prefix}dbuploader", durable=True)
    calls: list[Callable[[], object]] = [
        lambda: publish(broker, b"a"),
        lambda: broker.depth("dbuploader"),
    ]
    for call in calls:
        with pytest.raises(BrokerUnavailable, match=f"queue '{prefix}dbuploader'.*delete it"):
            call()


@pytest.mark.parametrize(
    ("vhost", "user", "says"),
    [
        ("%2F", "guest:s3cret", "ACCESS_REFUSED - Login was refused"),
        ("%2F", "nobody:s3cret", "ACCESS_REFUSED - Login was refused"),
        ("elsewhere", "guest:guest", "vhost elsewhere not found"),
    ],
)
def test_a_refused_login_is_told_without_the_password(
    rabbitmq_node: RabbitServer, vhost: str, user: str, says: str
) -> None:
    with closing(open_broker(rabbitmq_node.url(vhost, user))) as broker:
        for told in (why_not(broker.check), why_not(lambda: broker.depth("dbuploader"))):
            assert says in told
            assert "s3cret" not in told


NAMES = r"(dbuploader|notification)(\.dead|\.retry\..+)?"


@pytest.fixture
def clerk(rabbitmq_node: RabbitServer) -> Iterator[Callable[[str], Broker]]:
    """A broker of a user who may write to what matches the pattern, and else what the docs say."""
    users = "rabbit_auth_backend_internal"
    rabbitmq_node.evaluate(f'{users}:add_user(<<"clerk">>, <<"s3cret">>, <<"test">>)')

    def open_with(write: str) -> Broker:
        own, write = (each.replace("\\", "\\\\") for each in (f"^(muster|{NAMES})$", write))
        permissions = ", ".join(f'<<"{each}">>' for each in ("clerk", "/", own, write, own, "test"))
        rabbitmq_node.evaluate(f"{users}:set_permissions({permissions})")
        return open_broker(rabbitmq_node.url(user="clerk:s3cret", deadline_seconds="60"))

    yield open_with
    rabbitmq_node.evaluate(f'{users}:delete_user(<<"clerk">>, <<"test">>)')


def test_the_documented_permissions_are_enough(clerk: Callable[[str], Broker]) -> None:
    with closing(clerk(f"^(muster|amq\\.default|{NAMES})$")) as broker:
        publish(broker, b"a")
        verdicts: list[Verdict] = [Retry(0.01), Ack()]
        consume(broker, 2, lambda _delivery: verdicts.pop(0))
        broker.replay_dead_letters("dbuploader")
        broker.check()


def test_a_missing_permission_is_named(clerk: Callable[[str], Broker]) -> None:
    # RabbitMQ 4 says which access, 3.10 does not.
    with (
        closing(clerk(f"^(amq\\.default|{NAMES})$")) as broker,
        pytest.raises(BrokerUnavailable, match=r"access to exchange 'muster'.*refused"),
    ):
        publish(broker, b"a")
