"""The headers: what they say, and that no text from outside gets a header of its own."""

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muster.contracts.uploads import Cause, Failure, State, Upload
from notification.channels.email.message import NoAddress
from tests.unit.notification import stories
from tests.unit.notification.stories import email_about

NAMES = [
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Id"),
    *("X-Request-Id", "traceparent", "Content-Type", "MIME-Version"),
]


def delivered(message: EmailMessage) -> EmailMessage:
    """The message as its reader gets it."""
    received = message_from_bytes(message.as_bytes(), policy=SMTPUTF8)
    assert isinstance(received, EmailMessage)
    return received


def test_every_header_says_what_it_should() -> None:
    message = delivered(email_about(stories.WITH_REJECTS))
    assert sorted(message.keys()) == sorted(NAMES)
    assert message["From"] == "Muster <muster@example.org>"
    assert message["To"] == "ana@example.com"
    assert message["Subject"] == "hired_employees.csv: 1,929 rows loaded, 70 rejected"
    assert message["Date"] == "Sun, 07 Nov 2021 02:48:45 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "Muster uploads <muster-uploads.example.org>"
    assert message["X-Request-Id"] == stories.WITH_REJECTS.request_id
    assert message["traceparent"] == stories.WITH_REJECTS.traceparent


def test_a_repeat_has_the_same_message_id() -> None:
    ids = [email_about(stories.WITH_REJECTS)["Message-ID"] for _ in range(2)]
    expected = f"<upload-{stories.WITH_REJECTS.id}.completed_with_rejects@example.org>"
    assert ids == [expected, expected]


def test_each_final_state_has_a_message_id_of_its_own() -> None:
    finals = [replace(stories.COMPLETED, state=state) for state in State if state.is_final]
    assert len({email_about(upload)["Message-ID"] for upload in finals}) == len(finals)


@pytest.mark.parametrize(
    "address",
    [
        *("ana@example.com", "o'brien+csv@mail.example.co.uk", f"{'a' * 64}@{'b' * 60}.example"),
        *("ñandú@example.com", "ana@exämple.de", "用户@例子.广告"),
    ],
)
def test_the_recipient_is_who_sent_the_upload(address: str) -> None:
    message = email_about(replace(stories.COMPLETED, submitted_by=address))
    assert [to.addr_spec for to in message["To"].addresses] == [address]
    head = message.as_bytes().decode().split("\r\n\r\n")[0].replace("\r\n ", "")
    assert f"\r\nTo: {address}\r\n".replace(" ", "") in head.replace(" ", "")


@pytest.mark.parametrize(("address", "needs"), [("n@example.com", False), ("ñ@example.com", True)])
def test_only_an_address_beyond_ascii_needs_smtputf8(address: str, needs: bool) -> None:
    policy = email_about(replace(stories.COMPLETED, submitted_by=address)).policy
    assert isinstance(policy, EmailPolicy)
    assert policy.utf8 is needs


def test_the_same_upload_gives_the_same_message() -> None:
    first, again = (email_about(stories.COMPLETED).as_bytes() for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "address",
    [
        *("", "ana", "@example.com", "ana@", "ana@x, eva@y", "ana@x;eva@y", "a@b@c", "Ana <ana@x>"),
        *("ana@example.com\r\nBcc: eva@example.com", "ana\x00@x", "an\u202ea@x", "ana@x\n"),
        *("a b@x", '"a b"@x', "g: a@x;", "a" * 10_000 + "@x", "ana@x\ud800", "=?utf-8?q?=0A?=@x"),
    ],
)
def test_what_is_not_one_address_gets_no_email(address: str) -> None:
    with pytest.raises(NoAddress):
        email_about(replace(stories.COMPLETED, submitted_by=address))


hostile = st.text(st.characters(), max_size=60) | st.sampled_from(
    ["\r\nBcc: eva@example.com\r\n", "\n\nbody", "x" * 10_000, "\u202egpj.csv", "=?utf-8?q?=0A?="]
)


@st.composite
def hostile_uploads(draw: st.DrawFn) -> Upload:
    upload = draw(st.sampled_from(stories.STORIES))
    return replace(
        upload,
        filename=draw(hostile),
        request_id=draw(hostile),
        traceparent=draw(hostile),
        error=upload.error and Failure(draw(hostile), draw(hostile)),
        causes=tuple(Cause(draw(hostile), draw(hostile), 3, 5, draw(hostile)) for _ in range(2)),
    )


@given(hostile_uploads())
@example(stories.HOSTILE)
def test_no_text_from_outside_makes_a_header(upload: Upload) -> None:
    message = email_about(upload)
    received = delivered(message)
    assert sorted(received.keys()) == sorted(NAMES)
    assert [to.addr_spec for to in received["To"].addresses] == ["ana@example.com"]
    assert received["Subject"].isprintable()
    assert len(received["Subject"]) < 300
    assert received.get_content_type() == "multipart/alternative"
    assert not received.defects
    assert max(len(line) for line in message.as_bytes().splitlines()) < 998


@given(hostile)
def test_no_recipient_makes_a_second_one(address: str) -> None:
    try:
        message = email_about(replace(stories.COMPLETED, submitted_by=f"{address}@example.com"))
    except NoAddress:
        return
    received = delivered(message)
    assert sorted(received.keys()) == sorted(NAMES)
    assert [to.domain for to in received["To"].addresses] == ["example.com"]


def test_the_bytes_are_seven_bit_unless_the_address_is_not() -> None:
    upload = replace(stories.COMPLETED, filename="contratação.csv")
    assert email_about(upload).as_bytes(policy=SMTP).isascii()
