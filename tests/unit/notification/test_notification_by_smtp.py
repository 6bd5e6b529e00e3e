"""The consumer and a mail server: what is sent, what is tried again, and what ends."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.broker import open_broker
from muster.contracts.uploads import Email, EmailState
from muster.uploadstore import open_upload_store
from tests.contract.smtp_sink import USER, Sink, only_ana
from tests.unit.notification.process import finish_upload, running_consumer
from tests.waiting import eventually, eventually_up

SUBJECT = "hired_employees.csv: 1,929 rows loaded, 70 rejected"


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def consumer(sink: Sink, tmp_path: Path) -> Iterator[None]:
    with (
        sink.serving() as port,
        running_consumer(tmp_path, SMTP_URL=f"smtp://127.0.0.1:{port}"),
    ):
        yield


def logged(home: Path, event: str) -> list[dict[str, Any]]:
    # The line being written has no end yet.
    *lines, _ = (home / "log").read_text().split("\n")
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def email_of(home: Path, upload_id: str) -> Email | None:
    with closing(open_upload_store(f"file://{home}/store")) as store:
        return store.get(upload_id).email


def is_settled(home: Path, upload_id: str) -> bool:
    email = email_of(home, upload_id)
    return email is not None and email.is_settled


def waiting(home: Path) -> int:
    with closing(open_broker(f"sqlite:///{home}/broker.db")) as broker:
        return broker.depth("notification").waiting


@pytest.mark.usefixtures("consumer")
def test_the_email_reaches_the_mail_server(sink: Sink, tmp_path: Path) -> None:
    upload_id = finish_upload(tmp_path)
    eventually(lambda: is_settled(tmp_path, upload_id))
    [envelope], [mail] = sink.envelopes, sink.received()
    assert envelope.mail_from == "muster@localhost"
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert mail["Subject"] == SUBJECT
    assert mail.get_content_type() == "multipart/alternative"


@pytest.mark.usefixtures("consumer")
def test_a_bad_recipient_costs_one_email_and_the_reason_stands_on_the_upload(
    sink: Sink, tmp_path: Path
) -> None:
    sink.replies["RCPT gone@example.com"] = "550 5.1.1 no such user"
    refused_id = finish_upload(tmp_path, id="1" * 32, submitted_by="gone@example.com")
    upload_id = finish_upload(tmp_path)
    eventually(lambda: is_settled(tmp_path, upload_id) and waiting(tmp_path) == 0)
    assert [envelope.rcpt_tos for envelope in sink.envelopes] == [["ana@example.com"]]
    email, reason = email_of(tmp_path, refused_id), "recipient refused: 550 5.1.1 no such user"
    assert email is not None
    assert (email.state, email.reason) == (EmailState.REFUSED, reason)
    [entry] = logged(tmp_path, "email refused for good")
    assert (entry["upload_id"], entry["error"]) == (refused_id, reason)
    assert logged(tmp_path, "email put off") == []


@pytest.mark.usefixtures("consumer")
def test_an_email_refused_for_now_is_sent_later(sink: Sink, tmp_path: Path) -> None:
    sink.replies["RCPT"] = "451 4.7.1 greylisted"
    upload_id = finish_upload(tmp_path)
    eventually(lambda: bool(logged(tmp_path, "email put off")))
    assert not is_settled(tmp_path, upload_id)
    sink.replies.clear()
    eventually(lambda: is_settled(tmp_path, upload_id))
    assert [mail["Subject"] for mail in sink.received()] == [SUBJECT]
    assert "451 4.7.1 greylisted" in logged(tmp_path, "email put off")[0]["error"]


def test_a_refused_login_stands_on_the_upload_without_the_password(
    sink: Sink, tmp_path: Path
) -> None:
    login: dict[str, Any] = {"authenticator": only_ana, "auth_require_tls": False}
    with (
        sink.serving(**login) as port,
        running_consumer(tmp_path, SMTP_URL=f"smtp://{USER}:wrong-one@127.0.0.1:{port}"),
    ):
        upload_id = finish_upload(tmp_path)
        eventually(lambda: email_of(tmp_path, upload_id) is not None)
    email = email_of(tmp_path, upload_id)
    assert email is not None
    assert (email.state, email.reason) == (EmailState.WAITING, "login refused: 535")
    assert "wrong-one" not in (tmp_path / "log").read_text()


def test_the_http_side_tells_whether_the_mail_server_answers(
    sink: Sink, http_side: Callable[..., FlaskClient]
) -> None:
    with sink.serving() as port:
        client = http_side(smtp_url=f"smtp://127.0.0.1:{port}")
        eventually_up(client, "notification", {"mail": True})
    client = http_side(smtp_url=f"smtp://127.0.0.1:{port}")
    eventually_up(client, "notification", {"mail": False})
    assert client.get("/readyz").status_code == 200
