"""Messages whose headers nobody can read: no consumer ends, and those behind them go on."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing

import pika
import pytest
from pika import BasicProperties

from muster.broker import Ack, Broker, BrokerUnavailable, DeadLetter, Delivery, Verdict, open_broker
from muster.broker.rabbitmq.connection import RabbitServer, translated
from tests.contract.consuming import Background, bodies, consume, publish
from tests.waiting import eventually


class RawHeaders(BasicProperties):
    """Headers of these bytes, as a field table has them."""

    def __init__(self, table: bytes) -> None:
        super().__init__()
        self._table = table

    def encode(self) -> list[bytes]:
        return [struct.pack(">HI", self.FLAG_HEADERS, len(self._table)), self._table]


def header(kind: bytes, value: bytes, name: bytes = b"x") -> bytes:
    return bytes([len(name)]) + name + kind + value


def long_text(length: int) -> bytes:
    return struct.pack(">I", length) + b"y" * length


def nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"F" + struct.pack(">I", len(table) + 2) + b"\x01n" + table if table else b"V"
    return table


@pytest.fixture
def broker(rabbitmq_broker_url: str) -> Iterator[Broker]:
    with closing(open_broker(rabbitmq_broker_url)) as broker:
        yield broker


def publish_raw(broker_url: str, properties: BasicProperties, body: bytes) -> None:
    parameters = pika.URLParameters(broker_url.partition("?")[0])
    prefix = broker_url.partition("prefix=")[2].partition("&")[0]
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().basic_publish(
            f"{prefix}muster", "upload.accepted", body, properties=properties
        )


READABLE = {
    "attempts that are no number": BasicProperties(headers={"muster-attempts": "many"}),
    "attempts below none": BasicProperties(headers={"muster-attempts": -7}),
    "a name that is no text": RawHeaders(header(b"S", long_text(3), b"\xff\xfe")),
    "a type that is no text": BasicProperties(type="x" * 200),
    "more than can be sent on": RawHeaders(
        b"".join(header(b"S", long_text(20_000), b"h%d" % number) for number in range(6))
    ),
}


@pytest.mark.parametrize("oddity", READABLE)
def test_odd_headers_are_passed_over(broker: Broker, rabbitmq_broker_url: str, oddity: str) -> None:
    publish(broker, b"first")
    publish_raw(rabbitmq_broker_url, READABLE[oddity], b"odd")
    publish(broker, b"behind")

    def bury(delivery: Delivery) -> Verdict:
        return DeadLetter("z" * 200_000) if delivery.body == b"odd" else Ack()

    deliveries = consume(broker, 3, bury)
    assert bodies(deliveries) == [b"first", b"odd", b"behind"]
    assert deliveries[1].attempt == 1
    [letter] = broker.dead_letters("dbuploader", 9)
    assert letter.delivery.body == b"odd"
    assert set(letter.reason) == {"z"}
    assert broker.replay_dead_letters("dbuploader") == 1
    assert bodies(consume(broker, 1)) == [b"odd"]


UNREADABLE = {
    "a time beyond all calendars": header(b"T", struct.pack(">Q", 2**60)),
    "tables in tables": header(b"F", nested(3000)[1:]),
}


@pytest.mark.chaos
@pytest.mark.parametrize("oddity", UNREADABLE)
def test_headers_that_the_driver_cannot_read_end_no_consumer(
    broker: Broker, rabbitmq_broker_url: str, oddity: str
) -> None:
    publish(broker, b"first")
    publish_raw(rabbitmq_broker_url, RawHeaders(UNREADABLE[oddity]), b"odd")
    publish(broker, b"behind")
    with Background(broker) as consumer:
        # The broker gives it up after 20 deliveries, between which the consumer waits.
        eventually(lambda: bodies(consumer.deliveries)[-1:] == [b"behind"], seconds=300)
    assert bodies(consumer.deliveries) == [b"first", b"behind"]
    assert broker.depth("dbuploader").dead == 1


@pytest.mark.parametrize(
    "error", [ValueError("year"), OverflowError(), RecursionError(), struct.error("short")]
)
def test_what_the_driver_raises_out_of_headers_counts_as_a_lost_connection(
    error: Exception,
) -> None:
    server = RabbitServer.from_url("amqp://guest:guest@127.0.0.1:1/")
    with pytest.raises(BrokerUnavailable, match="can't be read"), translated(server):
        raise error


def test_headers_that_the_disk_has_changed_are_passed_over(sqlite_broker_url: str) -> None:
    with closing(open_broker(sqlite_broker_url)) as broker:
        publish(broker, b"a", b"b", b"c", b"d")
        with closing(sqlite3.connect(sqlite_broker_url.removeprefix("sqlite:///"))) as connection:
            for number, headers in enumerate((b"{", b"\xff", b'{"X-Request-Id": 7}'), 1):
                connection.execute(
                    "UPDATE messages SET headers = CAST(? AS TEXT) WHERE id = ?", [headers, number]
                )
            connection.execute("UPDATE messages SET headers = ? WHERE id = 4", ["[" * 100_000])
            connection.commit()
        deliveries = consume(broker, 4, lambda _delivery: DeadLetter("why"))
        assert bodies(deliveries) == [b"a", b"b", b"c", b"d"]
        assert [dict(delivery.headers) for delivery in deliveries] == [{}] * 4
        assert len(broker.dead_letters("dbuploader", 9)) == 4
