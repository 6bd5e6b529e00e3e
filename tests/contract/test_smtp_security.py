"""Encryption and login: no password in the clear, and none in what is told of a failure."""

import traceback
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from muster.adapters import ConfigurationError
from notification.channels.email.mailer import MailError, open_mailer
from notification.channels.email.smtp import SmtpMailer
from tests.contract.certificates import Authority
from tests.contract.scripted_smtp import DRIP, HANG_UP, SAY_NOTHING, ScriptedServer
from tests.contract.smtp_sink import PASSWORD, USER, Sink, only_ana

SECURE = ["smtps", "smtp+starttls"]
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def serving(
    sink: Sink, scheme: str, authority: Authority, address: str = "127.0.0.1", **options: Any
) -> Iterator[str]:
    """A server of the scheme's kind; gives its host and port."""
    context = authority.server_context(address)
    if scheme == "smtps":
        served = sink.serving(implicit_tls=context, **options)
    else:
        served = sink.serving(tls_context=context, require_starttls=True, **options)
    with served as port:
        yield f"127.0.0.1:{port}"


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "muster@example.com"
    message["To"] = "ana@example.com"
    message.set_content("text")
    return message


def failure_of(url: str, **seconds: float) -> MailError:
    with pytest.raises(MailError) as caught:
        SmtpMailer(url, **seconds).send(a_message())
    return caught.value


@pytest.mark.parametrize("scheme", SECURE)
def test_mail_is_encrypted_for_a_server_whose_authority_is_trusted(
    scheme: str, authority: Authority
) -> None:
    sink = Sink()
    with serving(sink, scheme, authority) as place:
        mailer = open_mailer(f"{scheme}://{place}?ca_file={authority.ca_file}")
        mailer.check()
        mailer.send(a_message())
    assert sink.encrypted == [True]


@pytest.mark.parametrize("scheme", SECURE)
@pytest.mark.parametrize("trusted", ["another", "the system's"])
def test_a_server_of_an_unknown_authority_gets_nothing(
    scheme: str, trusted: str, authority: Authority, tmp_path: Path
) -> None:
    another = Authority(tmp_path, "another")
    query = f"?ca_file={another.ca_file}" if trusted == "another" else ""
    sink = Sink()
    with serving(sink, scheme, authority) as place:
        error = failure_of(f"{scheme}://{LOGIN}{place}{query}")
        with pytest.raises(MailError):
            open_mailer(f"{scheme}://{place}{query}").check()
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert not error.permanent
    assert sink.envelopes == []


@pytest.mark.parametrize("scheme", SECURE)
def test_a_certificate_for_another_host_is_not_taken(scheme: str, authority: Authority) -> None:
    with serving(Sink(), scheme, authority, address="127.0.0.2") as place:
        error = failure_of(f"{scheme}://{place}?ca_file={authority.ca_file}")
    assert "127.0.0.1" in str(error)
    assert not error.permanent


def test_nothing_is_sent_in_the_clear_to_a_server_that_does_not_offer_starttls() -> None:
    server = ScriptedServer({})
    with server.serving() as port:
        error = failure_of(f"smtp+starttls://{LOGIN}127.0.0.1:{port}")
    assert not error.permanent
    assert server.stages == ["connect", "EHLO", "QUIT"]


@pytest.mark.parametrize(
    "reply", ["454 not now", "501 no", "220 go on", HANG_UP, SAY_NOTHING, DRIP]
)
def test_encryption_that_fails_may_succeed_later(reply: str) -> None:
    # After "220 go on" the server answers the handshake in plain text.
    script = {"EHLO": "250-scripted\r\n250 STARTTLS", "STARTTLS": reply}
    with ScriptedServer(script).serving() as port:
        error = failure_of(f"smtp+starttls://127.0.0.1:{port}", send_seconds=0.5)
    assert not error.permanent


@pytest.mark.parametrize("reply", ["220 in plain text", SAY_NOTHING, DRIP, HANG_UP])
def test_a_server_that_does_not_speak_tls_is_left(reply: str) -> None:
    with ScriptedServer({"connect": reply}).serving() as port:
        assert not failure_of(f"smtps://127.0.0.1:{port}", send_seconds=0.5).permanent


@pytest.mark.parametrize("scheme", SECURE)
def test_the_account_of_the_url_logs_in(scheme: str, authority: Authority) -> None:
    sink = Sink()
    # aiosmtpd knows of the encryption by STARTTLS only.
    login: dict[str, Any] = {"authenticator": only_ana, "auth_require_tls": scheme != "smtps"}
    with serving(sink, scheme, authority, **login) as place:
        query = f"?ca_file={authority.ca_file}"
        open_mailer(f"{scheme}://{LOGIN}{place}{query}").send(a_message())
        error = failure_of(f"{scheme}://{USER}:wrong-one@{place}{query}")
    assert [each.authenticated for each in sink.sessions] == [True]
    assert str(error) == "login refused: 535"
    assert not error.permanent


@pytest.mark.parametrize("code", [454, 535, 534])
def test_a_refused_login_ends_no_email(code: int) -> None:
    script = {"EHLO": "250-scripted\r\n250 AUTH PLAIN", "AUTH": f"{code} no"}
    with ScriptedServer(script).serving() as port:
        error = failure_of(f"smtp://{LOGIN}127.0.0.1:{port}")
    assert (str(error), error.permanent) == (f"login refused: {code}", False)


@pytest.mark.parametrize("offer", ["250 SIZE 1", "250 AUTH GSSAPI"])
def test_a_server_without_a_login_gets_no_mail(offer: str) -> None:
    with ScriptedServer({"EHLO": f"250-scripted\r\n{offer}"}).serving() as port:
        error = failure_of(f"smtp://{LOGIN}127.0.0.1:{port}")
    assert str(error) == "the server offers no login that works"
    assert not error.permanent


@pytest.mark.parametrize("reply", ["334 !", "334 Zm9v", "535 {}", "454 {}", "{}", HANG_UP, DRIP])
def test_no_failure_tells_the_password(reply: str) -> None:
    secrets = [PASSWORD, b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()]
    script = {"EHLO": "250-scripted\r\n250 AUTH PLAIN LOGIN CRAM-MD5"}
    script["AUTH"] = reply.format(" ".join(secrets))
    with ScriptedServer(script).serving() as port:
        error = failure_of(f"smtp://{LOGIN}127.0.0.1:{port}", send_seconds=0.5)
    told = repr(error) + "".join(traceback.format_exception(error))
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("host", ["mail.example.com", "192.0.2.1", "[2001:db8::1]", "localhost.x"])
def test_a_password_is_not_sent_in_the_clear_to_another_machine(host: str) -> None:
    with pytest.raises(ConfigurationError, match="a password needs smtps://") as caught:
        open_mailer(f"smtp://{LOGIN}{host}")
    assert "s3cret" not in repr(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_a_password_may_be_sent_to_this_machine(host: str) -> None:
    open_mailer(f"smtp://{LOGIN}{host}")


@pytest.mark.parametrize(
    "rest",
    [
        *("", "/", ":25", "user:s3cret@", "a b", "a..b", "h:port", "h:99999", "[::1", "h/x", "h#x"),
        *("user@h", "user:@h", ":s3cret@h", "user:s3cretñ@h", "u:s3cret℀@h", "u:s3cret/x@h"),
        *("u:s3cret#x@h", "u:s3cret?x@h", "h?verify=no", "h?ca_file=", "h?ca_file=/not/there"),
    ],
)
@pytest.mark.parametrize("scheme", ["smtp", *SECURE])
def test_a_url_that_cannot_be_used_says_what_to_write(scheme: str, rest: str) -> None:
    with pytest.raises(ConfigurationError, match="The mail URL can't be used: ") as caught:
        open_mailer(f"{scheme}://{rest}")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_an_authority_is_not_named_where_nothing_is_encrypted(authority: Authority) -> None:
    with pytest.raises(ConfigurationError, match="is for smtps://"):
        open_mailer(f"smtp://127.0.0.1?ca_file={authority.ca_file}")


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="can't be read"):
        open_mailer(f"smtps://127.0.0.1?ca_file={tmp_path}/ca.pem")
