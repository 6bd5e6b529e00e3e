"""Mail by SMTP: what the server is told, and what each of its refusals means."""

import random
from email.message import EmailMessage

import pytest

from notification.channels.email.mailer import MailError, open_mailer
from notification.channels.email.smtp import SmtpMailer
from tests.contract.scripted_smtp import DRIP, HANG_UP, SAY_NOTHING, ScriptedServer
from tests.contract.smtp_sink import Sink

STAGES = ["connect", "EHLO", "MAIL", "RCPT", "DATA", "content"]


def a_message(to: str = "ana@example.com", sender: str = "Muster <m@example.com>") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = "<u-1.completed@example.com>"
    message["From"] = sender
    message["To"] = to
    message["Subject"] = "año"
    message.set_content(".\n..\nFrom here: ñ\n")
    return message


def failure_of(url: str, **seconds: float) -> MailError:
    with pytest.raises(MailError) as caught:
        SmtpMailer(url, **seconds).send(a_message())
    return caught.value


def failure_at(stage: str, reply: str, **seconds: float) -> MailError:
    with ScriptedServer({stage: reply}).serving() as port:
        return failure_of(f"smtp://127.0.0.1:{port}", **seconds)


def test_the_envelope_is_from_the_sender_to_the_recipient() -> None:
    sink = Sink()
    with sink.serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(a_message("Ana <ana@example.com>"))
    [envelope] = sink.envelopes
    assert envelope.mail_from == "m@example.com"
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert "SMTPUTF8" not in envelope.mail_options


def test_the_messages_of_a_session_go_over_one_connection() -> None:
    sink = Sink()
    with sink.serving() as port, open_mailer(f"smtp://127.0.0.1:{port}").session() as send:
        for to in ("ana@example.com", "eva@example.com"):
            send(a_message(to))
    assert [each.rcpt_tos for each in sink.envelopes] == [["ana@example.com"], ["eva@example.com"]]
    first, second = sink.sessions
    assert first is second


def test_what_ends_a_session_leaves_what_was_taken_before() -> None:
    sink = Sink()
    with sink.serving() as port:
        mailer = open_mailer(f"smtp://127.0.0.1:{port}")

        def send_two() -> None:
            with mailer.session() as send:
                send(a_message())
                sink.replies["RCPT"] = "550 nobody"
                send(a_message("eva@example.com"))

        with pytest.raises(MailError, match="recipient refused: 550"):
            send_two()
        sink.replies.clear()
        # The next begins anew.
        mailer.send(a_message("eva@example.com"))
    assert [each.rcpt_tos for each in sink.envelopes] == [["ana@example.com"], ["eva@example.com"]]


@pytest.mark.parametrize("text", [".\r\n.\r\nRCPT TO:<eva@x>", "\r.\r", "ñ" * 2000, ".", "\n\n"])
def test_no_text_of_a_message_is_taken_for_its_end(text: str) -> None:
    sink, message = Sink(), a_message()
    message.set_content(text)
    with sink.serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(message)
    [envelope], [received] = sink.envelopes, sink.received()
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert "".join(received.get_content().split()) == "".join(text.split())
    [content] = sink.contents()
    assert content.isascii()
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")


def test_a_mail_is_closed_politely() -> None:
    server = ScriptedServer({})
    with server.serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(a_message())
    assert server.stages == [*STAGES, "QUIT"]


@pytest.mark.parametrize("reply", ["421 bye", "500 what", HANG_UP, "nonsense"])
def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_farewell(reply: str) -> None:
    with ScriptedServer({"QUIT": reply}).serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(a_message())


@pytest.mark.parametrize(
    ("stage", "what"),
    [("MAIL", "sender"), ("RCPT", "recipient"), ("DATA", "message"), ("content", "message")],
)
def test_what_is_refused_for_good_is_permanent_and_says_why(stage: str, what: str) -> None:
    error = failure_at(stage, "550-5.7.1 not\r\n550 5.7.1 here")
    assert error.permanent
    assert str(error) == f"{what} refused: 550 5.7.1 not 5.7.1 here"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reply", ["451 4.7.1 greylisted", "421 4.3.2 shutting down"])
def test_what_is_refused_for_now_may_be_taken_later(stage: str, reply: str) -> None:
    error = failure_at(stage, reply)
    assert not error.permanent
    assert reply in str(error)


@pytest.mark.parametrize("stage", ["connect", "EHLO"])
def test_a_server_that_is_not_ready_refuses_no_message(stage: str) -> None:
    with ScriptedServer({stage: "554 no service"}).serving() as port:
        error = failure_of(f"smtp://127.0.0.1:{port}")
    assert not error.permanent
    assert "554 no service" in str(error)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reply", [HANG_UP, "nonsense", "", "550" + "x" * 9000])
def test_a_server_that_goes_or_talks_nonsense_may_do_better_later(stage: str, reply: str) -> None:
    assert not failure_at(stage, reply).permanent


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reply", [SAY_NOTHING, DRIP])
def test_a_server_that_hangs_is_left_at_the_deadline(stage: str, reply: str) -> None:
    error = failure_at(stage, reply, send_seconds=0.2)
    assert not error.permanent
    assert "not done within 0.2 seconds" in str(error)


def test_all_recipients_get_the_mail_or_none() -> None:
    sink = Sink(**{"RCPT eva@example.com": "550 no such user"})
    message = a_message("ana@example.com, eva@example.com")
    with sink.serving() as port:
        mailer = open_mailer(f"smtp://127.0.0.1:{port}")
        with pytest.raises(MailError) as caught:
            mailer.send(message)
        assert caught.value.permanent
        assert sink.envelopes == []
        sink.replies.clear()
        mailer.send(message)
    assert [each.rcpt_tos for each in sink.envelopes] == [["ana@example.com", "eva@example.com"]]


@pytest.mark.parametrize("address", ["ñandú@example.com", "ana@exämple.de", "用户@例子.广告"])
def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it(address: str) -> None:
    sink = Sink()
    with sink.serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(a_message(address))
    [envelope], [mail] = sink.envelopes, sink.received()
    assert envelope.rcpt_tos == [address]
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(envelope.mail_options)
    assert mail["To"] == address


def test_an_address_beyond_ascii_is_refused_for_good_without_smtputf8() -> None:
    with Sink().serving(enable_SMTPUTF8=False) as port:
        mailer = open_mailer(f"smtp://127.0.0.1:{port}")
        with pytest.raises(MailError, match="beyond ASCII") as caught:
            mailer.send(a_message("ñandú@example.com"))
        mailer.send(a_message("Ñandú <nandu@example.com>"))
    assert caught.value.permanent


@pytest.mark.parametrize(
    "address",
    ["a..b@example.com", "o'brien+csv@example.com", '"a b"@example.com', "ana@[127.0.0.1]"],
)
def test_odd_addresses_reach_the_server_as_they_are(address: str) -> None:
    server = Sink()
    with server.serving() as port:
        open_mailer(f"smtp://127.0.0.1:{port}").send(a_message(address))
    assert server.envelopes[0].rcpt_tos == [address]


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        *(("ana", "m@example.com"), ("nobody:;", "m@example.com"), ("a@b@c", "m@example.com")),
        *(("<>", "m@example.com"), ("ana@x", "<>"), ("ana@x", "m@x, n@x")),
    ],
)
def test_a_message_without_a_sender_and_a_recipient_can_never_be_sent(to: str, sender: str) -> None:
    with pytest.raises(MailError) as caught:
        open_mailer("smtp://127.0.0.1").send(a_message(to, sender))
    assert caught.value.permanent


@pytest.mark.parametrize("missing", ["From", "To"])
def test_a_message_lacking_an_address_can_never_be_sent(missing: str) -> None:
    message = a_message()
    del message[missing]
    with pytest.raises(MailError) as caught:
        open_mailer("smtp://127.0.0.1").send(message)
    assert caught.value.permanent


def test_a_message_the_server_says_is_too_large_is_refused_before_it_is_sent() -> None:
    sink, message = Sink(), a_message()
    message.set_content("long " * 10_000)
    with (
        sink.serving(data_size_limit=20_000) as port,
        pytest.raises(MailError, match="sender refused: 552") as caught,
    ):
        open_mailer(f"smtp://127.0.0.1:{port}").send(message)
    assert caught.value.permanent


@pytest.mark.parametrize("reply", ["421 closing", "550 no", HANG_UP, SAY_NOTHING, DRIP])
@pytest.mark.parametrize("stage", ["connect", "EHLO", "NOOP"])
def test_the_check_fails_where_the_server_does_not_answer(stage: str, reply: str) -> None:
    with (
        ScriptedServer({stage: reply}).serving() as port,
        pytest.raises(MailError) as caught,
    ):
        SmtpMailer(f"smtp://127.0.0.1:{port}", check_seconds=0.2).check()
    assert not caught.value.permanent


def test_a_long_refusal_is_cut() -> None:
    words = "".join(random.Random(1).choices("abc ", k=1500))
    assert len(str(failure_at("RCPT", f"550 {words}"))) < 400
