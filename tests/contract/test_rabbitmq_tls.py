"""`amqps://`: a node has to prove that it is the one that is meant."""

import uuid
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from muster.broker import BrokerUnavailable, open_broker
from tests.contract.certificates import Authority
from tests.contract.consuming import bodies, consume, publish
from tests.servers.rabbitmq import RabbitServer
from tests.servers.recording import Recorder

pytestmark = pytest.mark.xdist_group("rabbitmq-node")


def test_messages_go_over_tls_to_a_node_that_is_known(
    rabbitmq_node: RabbitServer, rabbitmq_authority: Authority
) -> None:
    url = rabbitmq_node.tls_url(ca_file=str(rabbitmq_authority.ca_file), prefix=uuid.uuid4().hex)
    with closing(open_broker(url)) as broker:
        publish(broker, b"a")
        assert bodies(consume(broker, 1)) == [b"a"]


def test_a_node_that_another_authority_vouches_for_is_refused(
    rabbitmq_node: RabbitServer, tmp_path: Path
) -> None:
    url = rabbitmq_node.tls_url(ca_file=str(Authority(tmp_path, "stranger").ca_file))
    with (
        closing(open_broker(url)) as broker,
        pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        broker.check()


def test_a_node_that_only_the_system_could_vouch_for_is_refused(
    rabbitmq_node: RabbitServer,
) -> None:
    with (
        closing(open_broker(rabbitmq_node.tls_url())) as broker,
        pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        broker.check()


def test_one_variable_names_the_authorities_of_all_urls(
    rabbitmq_node: RabbitServer, rabbitmq_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(rabbitmq_authority.ca_file))
    with closing(open_broker(rabbitmq_node.tls_url(deadline_seconds="60"))) as broker:
        broker.check()


def test_a_node_that_is_somewhere_else_is_refused(
    rabbitmq_node: RabbitServer, rabbitmq_authority: Authority
) -> None:
    url = rabbitmq_node.tls_url(ca_file=str(rabbitmq_authority.ca_file))
    with (
        closing(open_broker(url.replace("127.0.0.1", "localhost"))) as broker,
        pytest.raises(BrokerUnavailable, match="not valid for 'localhost'"),
    ):
        broker.check()


def test_a_node_without_encryption_is_refused_before_it_is_told_a_password(
    rabbitmq_node: RabbitServer, rabbitmq_authority: Authority
) -> None:
    plain = rabbitmq_node.url(user="guest:s3cret", ca_file=str(rabbitmq_authority.ca_file))
    port = urlsplit(plain).port
    assert port is not None
    with Recorder(port) as network:
        url = plain.replace("amqp://", "amqps://").replace(f":{port}/", f":{network.port}/")
        with (
            closing(open_broker(url)) as broker,
            pytest.raises(BrokerUnavailable, match="SSL: WRONG_VERSION_NUMBER"),
        ):
            broker.check()
    assert network.heard
    assert b"s3cret" not in network.heard
