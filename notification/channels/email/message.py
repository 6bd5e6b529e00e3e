"""The email about uploads: plain text and HTML, with headers nothing can be slipped into."""

import re
from collections.abc import Sequence
from email.headerregistry import AddressHeader, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from functools import cache, lru_cache
from typing import Any

from muster.contracts.uploads import Upload
from muster.observability.tracing import Trace
from notification.channels import DeliveryError
from notification.channels.email.body import write_body
from notification.channels.email.content import EmailContent, content_of
from notification.channels.email.digest import DigestContent, digest_of

_ADDRESS = re.compile(r"""[^\s@<>()\[\],;:\\"]+@[^\s@<>()\[\],;:\\"]+""")
_LONGEST_ADDRESS = 254
"""Octets: RFC 5321, section 4.5.3.1.3, less the angle brackets."""
_HEADERS_HELD = 128


class _HeaderKinds(HeaderRegistry):
    """The library's kinds of headers, each made once: by itself it makes a class a header.

    What most emails have in common is parsed once, too: half of the time that an email took.
    """

    @cache  # noqa: B019 - there is one of these
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)

    @lru_cache(maxsize=_HEADERS_HELD)  # noqa: B019 - there is one of these
    def __call__(self, name: str, value: Any) -> BaseHeader:
        return super().__call__(name, value)


_ASCII = SMTP.clone(header_factory=_HeaderKinds())
_UTF8 = SMTPUTF8.clone(header_factory=_ASCII.header_factory)


class NoAddress(DeliveryError):
    """The upload was sent by somebody whose name is not one email address."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:_LONGEST_ADDRESS]!r} is not an email address", permanent=True)


def compose(uploads: Sequence[Upload], *, sender: str, public_url: str) -> EmailMessage:
    """The email about final uploads of one user, the first of which leads; raises NoAddress.

    The same uploads always give the same message, with the same `Message-ID`.
    """
    upload, *others = uploads
    trace = Trace.from_headers(
        {"X-Request-Id": upload.request_id, "traceparent": upload.traceparent}
    )
    content: EmailContent | DigestContent
    if others:
        content, template = digest_of(uploads, public_url), "digest"
    else:
        content, template = content_of(upload, trace, public_url), "upload"
    message = _addressed(sender, upload.submitted_by)
    # The library decodes what looks like an encoded word (RFC 2047), line breaks and all.
    message["Subject"] = content.subject.replace("=?", "= ?")
    message["Date"] = max(each.finished_at or each.submitted_at for each in uploads)
    sent_by = message["From"]
    message["Message-ID"] = _digest_id(upload, sent_by) if others else _message_id(upload, sent_by)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps vacation notices away
    message["List-Id"] = _list_id(message["From"])
    for name, value in trace.headers().items():
        message[name] = value
    write_body(message, template, content=content)
    return message


def _addressed(sender: str, recipient: str) -> EmailMessage:
    if not _is_address(recipient):
        raise NoAddress(recipient)
    # An address beyond ASCII needs RFC 6532; all others stay readable to every server.
    message = EmailMessage(policy=_ASCII if recipient.isascii() else _UTF8)
    message["From"] = sender
    message["To"] = recipient
    return message


def _is_address(text: str) -> bool:
    """Whether `text` is one plain address, that no reader of headers takes for anything else."""
    fits = len(text.encode("utf-8", "replace")) <= _LONGEST_ADDRESS
    # An encoded word could stand for anything: see the subject.
    return fits and text.isprintable() and "=?" not in text and bool(_ADDRESS.fullmatch(text))


def message_id_of(upload: Upload, sender: str) -> str:
    """The `Message-ID` of the email about an upload that is final."""
    message = EmailMessage(policy=_ASCII)
    message["From"] = sender
    return _message_id(upload, message["From"])


def _message_id(upload: Upload, sender: AddressHeader) -> str:
    return f"<upload-{upload.id}.{upload.state}@{sender.addresses[0].domain}>"


def _digest_id(leader: Upload, sender: AddressHeader) -> str:
    return f"<digest-{leader.id}@{sender.addresses[0].domain}>"


def _list_id(sender: AddressHeader) -> str:
    """By which readers sort all emails about uploads (RFC 2919)."""
    return f"Muster uploads <muster-uploads.{sender.addresses[0].domain}>"
