"""`deploy/rabbitmq/accounts.sh`: each service can do its work under its account, and no more."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

import pytest
from pika import BlockingConnection, URLParameters
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

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
from tests.contract.consuming import Background, bodies, consume
from tests.servers.rabbitmq import RabbitServer
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("rabbitmq-node")

SCRIPT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "accounts.sh"
VHOST = 'of "services"'
PASSWORDS = {
    "auth": "it's \"odd\" \\ 100% $HOME `id` #;é\\'",
    "dbuploader": "\\",
    "gateway": "gateway & co",
    "notification": '"',
}


def run_script(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "MUSTER_RABBITMQ_VHOST": VHOST,
        **{f"MUSTER_RABBITMQ_{name.upper()}_PASSWORD": word for name, word in PASSWORDS.items()},
        **changes,
    }
    return subprocess.run(
        ["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def urls(
    rabbitmq_node: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """The URL of each account, in a virtual host in which nothing is declared yet."""
    definitions = tmp_path_factory.mktemp("rabbitmq") / "definitions.json"
    definitions.write_text(run_script().stdout)
    rabbitmq_node.evaluate(
        f'{{ok, Json}} = file:read_file("{definitions}"), rabbit_definitions:import_raw(Json)'
    )
    return {
        name: rabbitmq_node.url(quote(VHOST, safe=""), f"{name}:{quote(word, safe='')}")
        for name, word in PASSWORDS.items()
    }


@pytest.fixture(scope="module")
def brokers(urls: Mapping[str, str]) -> Iterator[Mapping[str, Broker]]:
    """Each service's broker; the first test has the queues declared."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(closing(open_broker(f"{url}?deadline_seconds=60")))
            for name, url in urls.items()
        }


def test_what_a_service_may_not_make_is_awaited_and_named(brokers: Mapping[str, Broker]) -> None:
    with pytest.raises(Unroutable, match=r"no queue is bound to 'upload.accepted'"):
        brokers["gateway"].publish("upload.accepted", b"a", {})
    with pytest.raises(BrokerUnavailable, match=r"no queue 'dbuploader.*refused"):
        brokers["gateway"].depth("dbuploader")


def test_each_service_does_its_work(brokers: Mapping[str, Broker]) -> None:
    gateway, auth = brokers["gateway"], brokers["auth"]
    verdicts: list[Verdict] = [Retry(0.01), Ack(), DeadLetter("why"), Ack()]
    with (
        Background(
            brokers["dbuploader"], lambda _: verdicts.pop(0) if verdicts else Ack()
        ) as loader,
        Background(brokers["notification"], queue="notification") as teller,
    ):
        eventually(lambda: is_routed(gateway, "upload.accepted"))
        eventually(lambda: len(loader.deliveries) == 2)
        eventually(lambda: is_routed(auth, "email.requested"))
        gateway.publish("upload.accepted", b"dead", {})
        eventually(lambda: gateway.depth("dbuploader").dead == 1)
        brokers["dbuploader"].publish("upload.finished", b"b", {})
        gateway.publish("upload.finished", b"c", {})
        assert brokers["dbuploader"].replay_dead_letters("dbuploader") == 1
        eventually(lambda: not verdicts)
        eventually(lambda: bodies(teller.deliveries)[-2:] == [b"b", b"c"])
    for broker in brokers.values():
        broker.check()
    assert brokers["gateway"].depth("notification").waiting == 0


def is_routed(broker: Broker, routing_key: str) -> bool:
    try:
        broker.publish(routing_key, b"a", {})
    except (BrokerUnavailable, Unroutable):
        return False
    return True


Attempt = Callable[[BlockingChannel], object]


def get(queue: str) -> Attempt:
    return lambda channel: channel.basic_get(queue)


def purge(queue: str) -> Attempt:
    return lambda channel: channel.queue_purge(queue)


def delete(queue: str) -> Attempt:
    return lambda channel: channel.queue_delete(queue)


def declare(queue: str) -> Attempt:
    return lambda channel: channel.queue_declare(queue, durable=True)


def bind(queue: str, routing_key: str) -> Attempt:
    return lambda channel: channel.queue_bind(queue, "muster", routing_key)


def publish(routing_key: str, exchange: str = "muster") -> Attempt:
    return lambda channel: channel.basic_publish(exchange, routing_key, b"forged")


def delete_exchange(channel: BlockingChannel) -> object:
    return channel.exchange_delete("muster")


# What the account must not do, by its name.
FORBIDDEN: Mapping[str, Mapping[str, Attempt]] = {
    "gateway": {
        "read what it published": get("dbuploader"),
        "read what others published": get("notification"),
        "throw away what waits": purge("dbuploader"),
        "delete a queue": delete("dbuploader.dead"),
        "delete the exchange": delete_exchange,
        "make a queue": declare("gateway"),
        "take copies of messages": bind("dbuploader", "#"),
        "have an email sent": publish("email.requested"),
        "pass the exchange by": publish("notification", exchange=""),
    },
    "auth": {
        "have an upload loaded": publish("upload.accepted"),
        "report an upload": publish("upload.finished"),
        "read what it published": get("notification"),
        "delete a queue": delete("notification"),
        "make a queue": declare("auth"),
        "pass the exchange by": publish("dbuploader", exchange=""),
    },
    "dbuploader": {
        "read the other's queue": get("notification"),
        "read the other's dead letters": get("notification.dead"),
        "throw away what waits": purge("notification"),
        "delete the other's queue": delete("notification"),
        "make another queue": declare("dbuploader2"),
        "have an email sent": publish("email.requested"),
        "have an upload loaded": publish("upload.accepted"),
        "take copies of other messages": bind("dbuploader", "email.requested"),
        "take copies of all": bind("dbuploader", "#"),
    },
    "notification": {
        "read the other's queue": get("dbuploader"),
        "delete the other's queue": delete("dbuploader.retry.10s"),
        "delete the exchange": delete_exchange,
        "have an upload loaded": publish("upload.accepted"),
        "report an upload": publish("upload.finished"),
        "take copies of other messages": bind("notification", "upload.accepted"),
        "make another queue": declare("webhooks"),
    },
}


def answer_to(attempt: Attempt, channel: BlockingChannel) -> int:
    try:
        attempt(channel)
    except ChannelClosedByBroker as error:
        return error.reply_code
    return 200


@pytest.mark.parametrize("account", FORBIDDEN)
def test_an_account_may_do_no_more(account: str, urls: Mapping[str, str]) -> None:
    answers = {}
    with closing(BlockingConnection(URLParameters(urls[account]))) as connection:
        for what, attempt in FORBIDDEN[account].items():
            channel = connection.channel()
            channel.confirm_delivery()
            answers[what] = answer_to(attempt, channel)
    assert answers == dict.fromkeys(FORBIDDEN[account], 403)


def test_what_was_forbidden_left_no_trace(brokers: Mapping[str, Broker]) -> None:
    for queue in ("dbuploader", "notification"):
        depth = brokers["gateway"].depth(queue)
        assert (depth.waiting, depth.dead) == (0, 0)
    brokers["gateway"].publish("upload.accepted", b"z", {})
    assert bodies(consume(brokers["dbuploader"], 1)) == [b"z"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"MUSTER_RABBITMQ_AUTH_PASSWORD": ""}, "The password of auth is not set"),
        ({"MUSTER_RABBITMQ_AUTH_PASSWORD": "secret\n"}, "A control character can't be"),
        ({"MUSTER_RABBITMQ_VHOST": "\t"}, "A control character can't be"),
    ],
)
def test_the_script_says_what_it_lacks(changes: dict[str, str], complaint: str) -> None:
    ended = run_script(**changes)
    assert ended.returncode == 1
    assert complaint in ended.stderr
    assert "secret" not in ended.stderr


def test_a_second_set_of_accounts_has_names_of_its_own_and_the_same_rights() -> None:
    first, second = (run_script(MUSTER_ACCOUNT_SUFFIX=suffix).stdout for suffix in ("", "-b"))
    names = [each["name"] for each in json.loads(second)["users"]]
    assert names == [f"{each['name']}-b" for each in json.loads(first)["users"]]
    assert re.sub(r'-b"', '"', second) == first


def test_keda_may_look_and_nothing_else() -> None:
    made = json.loads(run_script(MUSTER_RABBITMQ_KEDA_PASSWORD="k").stdout)
    assert {"name": "keda", "password": "k", "tags": "management"} in made["users"]
    (rights,) = (each for each in made["permissions"] if each["user"] == "keda")
    assert not [
        kind for kind in ("configure", "write", "read") if re.search(rights[kind], "muster")
    ]
