"""One POST: to the address that was checked, within its time, and no further."""

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from notification.channels.webhook.addresses import AddressPolicy, Resolver
from notification.channels.webhook.transport import MOST_BYTES, Caller, NotAllowed, NotSent
from tests.servers.webhook_receiver import Receiver, status

Receive = Callable[..., Receiver]


def post(caller: Caller, url: str) -> int:
    return caller.post(url, {"webhook-id": "msg_1"}, b"{}")


def test_what_is_sent_arrives_and_the_status_comes_back(receive: Receive, caller: Caller) -> None:
    receiver = receive(status("202 Accepted", body="thanks"))
    assert post(caller, f"{receiver.url}?a=b") == 202
    (call,) = receiver.calls
    assert (call.path, call.body) == ("/hook?a=b", b"{}")
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["connection"] == "close"


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_called(
    receive: Receive, client_tls: ssl.SSLContext, caller: Caller
) -> None:
    receiver = receive(status("200 OK"))
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    with closing(Resolver(1, lambda *_: next(answers))) as resolver:
        named = replace(caller, resolver=resolver)
        assert post(named, f"https://hooks.example.com:{receiver.port}/") == 200
    assert receiver.calls[0].headers["host"] == f"hooks.example.com:{receiver.port}"
    assert next(answers) == ["127.0.0.2"]


def test_a_name_of_a_forbidden_address_is_not_called(receive: Receive, caller: Caller) -> None:
    receiver = receive(status("200 OK"))
    with closing(Resolver(1, lambda *_: ["127.0.0.1"])) as resolver:
        public = replace(caller, policy=AddressPolicy(), resolver=resolver)
        with pytest.raises(NotAllowed):
            post(public, "https://hooks.example.com/")
    assert receiver.connections == 0


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.2"])
def test_a_certificate_for_another_name_or_of_nobody_is_refused(
    receive: Receive, caller: Caller, client_tls: ssl.SSLContext, name: str
) -> None:
    receiver = receive(status("200 OK"))
    with closing(Resolver(1, lambda *_: ["127.0.0.1"])) as resolver:
        named = replace(caller, resolver=resolver)
        with pytest.raises(NotSent, match="certificate"):
            post(named, f"https://other.example.com:{receiver.port}/")
        stranger = replace(named, tls=ssl.create_default_context())
        with pytest.raises(NotSent, match="certificate"):
            post(stranger, f"https://hooks.example.com:{receiver.port}/")
    assert receiver.calls == []


def test_no_redirect_is_followed_and_no_proxy_obeyed(
    receive: Receive, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = receive(status("200 OK"), None)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    receiver = receive(status("307 Temporary Redirect", f"Location: http://127.0.0.1:{trap.port}/"))
    assert post(caller, receiver.url) == 307
    assert trap.connections == 0


def _hang(connection: socket.socket) -> None:
    connection.recv(1)


def _drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Drip: 1\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [_hang, _drip], ids=["hangs", "drips"])
def test_what_hangs_or_drips_its_head_ends_in_time(
    receive: Receive, caller: Caller, answer: Callable[[socket.socket], None]
) -> None:
    receiver = receive(answer)
    begun = time.monotonic()
    # A head of more than 4 KiB is cut, and its status is known.
    patient = replace(caller, seconds=0.4)
    if answer is _hang:
        with pytest.raises(NotSent, match="within"):
            post(patient, receiver.url)
    else:
        with pytest.raises(NotSent):
            post(patient, receiver.url)
    # Not at once on a busy machine; but long before the 4 KiB have dripped.
    assert time.monotonic() - begun < 10


def test_a_body_without_end_holds_nobody_up(receive: Receive, caller: Caller) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(1024 * b"x")

    receiver = receive(flood)
    assert post(caller, receiver.url) == 200
    assert MOST_BYTES == 4096


def test_what_is_no_http_is_not_shown(receive: Receive, caller: Caller) -> None:
    receiver = receive(lambda connection: connection.sendall(b"220 mail.example.com ESMTP\r\n"))
    with pytest.raises(NotSent, match="not HTTP") as refusal:
        post(caller, receiver.url)
    assert "ESMTP" not in str(refusal.value)


def test_nobody_there_is_said(caller: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotSent, match="refused"):
        post(caller, f"https://127.0.0.1:{port}/")


def test_what_speaks_no_tls_is_told_nothing(receive: Receive, caller: Caller) -> None:
    plain = receive(status("200 OK"), None)
    with pytest.raises(NotSent):
        post(replace(caller, seconds=0.3), plain.url)
    assert plain.calls == []
