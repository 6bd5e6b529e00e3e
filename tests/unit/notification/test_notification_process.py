"""The consumer as a process of its own, and the HTTP side, on the embedded default."""

import mailbox
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from embedded import ports
from notification.settings import Settings
from tests.unit.notification.process import finish_upload, running_consumer
from tests.waiting import eventually, eventually_up


@pytest.fixture
def health() -> Iterator[str]:
    with ports.reserve() as reserved:
        yield f"http://127.0.0.1:{ports.port_of(reserved)}"


@pytest.fixture
def consumer(tmp_path: Path, health: str) -> Iterator[subprocess.Popen[bytes]]:
    with running_consumer(tmp_path, HEALTH_PORT=health.rpartition(":")[2]) as process:
        yield process


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def mails(home: Path) -> list[str]:
    folder = home / "mail"
    return (
        [mail["Subject"] for mail in mailbox.Maildir(folder)] if (folder / "cur").exists() else []
    )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_sends_the_email_shows_its_health_and_stops_when_told(
    tmp_path: Path, health: str, consumer: subprocess.Popen[bytes], signum: signal.Signals
) -> None:
    finish_upload(tmp_path)
    eventually(lambda: mails(tmp_path) == ["hired_employees.csv: 1,929 rows loaded, 70 rejected"])
    eventually(lambda: answers(f"{health}/readyz"))
    sent = 'muster_mails_total{outcome="sent"} 1.0'
    eventually(lambda: sent in requests.get(f"{health}/metrics", timeout=60).text)
    consumer.send_signal(signum)
    assert consumer.wait(timeout=60) == 0


def test_the_http_side_answers_for_what_emails_depend_on(
    http_side: Callable[..., FlaskClient],
) -> None:
    client = http_side()
    assert client.get("/healthz").status_code == 200
    database = "notification database"
    assert client.get("/readyz").json == {"status": "ready", "checks": [database]}
    behind = ("broker", "CSV store", "mail", database)
    eventually_up(client, "notification", dict.fromkeys(behind, True))


@pytest.mark.parametrize(
    "sender",
    ["", "Muster", "muster@", "a@x, b@y", "a@x\r\nBcc: b@y", "Muster <>", "ñ@example.com"],
)
def test_a_sender_that_is_not_one_address_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="write one address"):
        Settings(mail_from=sender)


def test_the_public_url_may_end_in_a_slash() -> None:
    assert Settings(public_url="https://muster.example.com/").public_url.endswith(".com")
