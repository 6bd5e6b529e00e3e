"""What an `amqp://` URL may say, and what becomes of one that is not right."""

import ssl
from pathlib import Path

import pytest
from pika import PlainCredentials

from muster.adapters import ConfigurationError
from muster.broker import open_broker
from muster.broker.rabbitmq.connection import ConnectionOptions, RabbitServer


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("amqp://user:secret@/vhost", "HOST"),
        ("amqp://user:secret@host/a/b", "%2F"),
        ("amqp://user:sec#secret@host/", "HOST"),
        ("amqp://user:sec/secret@host/", "percent-encoded|HOST"),
        ("amqp://user:secret@host:port/", "percent-encoded"),
        ("amqp://user:secret@host:99999/", "percent-encoded"),
        ("amqp://user:secret@host/?prefetch=1", "options are heartbeat, deadline_seconds, prefix"),
        ("amqp://user:secret@host/?heartbeat=0", "heartbeat=0"),
        ("amqp://user:secret@host/?heartbeat=1.5", "heartbeat=1.5"),
        ("amqp://user:secret@host/?heartbeat", "heartbeat="),
        ("amqp://user:secret@host/?deadline_seconds=0", "more than 0"),
        ("amqp://user:secret@host/?deadline_seconds=-1", "deadline_seconds=-1"),
        ("amqp://user:secret@host/?deadline_seconds=soon", "deadline_seconds=soon"),
        ("amqp://user:secret@host/?prefix=a/b", "prefix=a/b"),
        ("amqp://user:secret@host/?ca_file=/ca.pem", "for amqps"),
        ("amqps://user:secret@host/?ca_file=", "for amqps"),
        ("amqps://user:secret@host/?ca_file=/no/such/ca.pem", "can't be read"),
    ],
)
def test_a_url_that_cannot_be_used_says_why_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        open_broker(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(caught.value.__cause__)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="can't be read"):
        open_broker(f"amqps://host/?ca_file={tmp_path}/ca.pem")


@pytest.mark.parametrize(
    ("url", "host", "port", "vhost"),
    [
        ("amqp://host", "host", 5672, "/"),
        ("amqp://host/", "host", 5672, "/"),
        ("amqps://host", "host", 5671, "/"),
        ("amqp://host:1234/%2F", "host", 1234, "/"),
        ("amqp://[::1]/a%2Fb", "::1", 5672, "a/b"),
    ],
)
def test_a_url_names_the_host_the_port_and_the_virtual_host(
    url: str, host: str, port: int, vhost: str
) -> None:
    parameters = RabbitServer.from_url(url).parameters
    assert (parameters.host, parameters.port, parameters.virtual_host) == (host, port, vhost)


def test_user_and_password_are_percent_encoded() -> None:
    credentials = RabbitServer.from_url("amqp://a%40b:p%40ss%2F%23@host").parameters.credentials
    assert credentials == PlainCredentials("a@b", "p@ss/#")


def test_options_stand_behind_the_question_mark() -> None:
    url = "amqp://host/?heartbeat=5&deadline_seconds=2.5&prefix=test."
    server = RabbitServer.from_url(url)
    assert server.options == ConnectionOptions(heartbeat=5, deadline_seconds=2.5, prefix="test.")
    assert server.parameters.heartbeat == 5


def test_amqps_always_verifies_the_server() -> None:
    trust = RabbitServer.from_url("amqps://host").parameters.ssl_options
    assert trust is not None
    assert trust.context.verify_mode == ssl.CERT_REQUIRED
    assert trust.context.check_hostname
    assert trust.server_hostname == "host"


def test_a_server_is_named_without_its_user_and_password() -> None:
    assert str(RabbitServer.from_url("amqp://user:secret@host")) == "RabbitMQ at host:5672"
