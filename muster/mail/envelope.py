"""Who a message is from and for, to a server that doesn't read its headers."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self

from muster.mail import MailError


@dataclass(frozen=True)
class Envelope:
    """The addresses of a transaction (RFC 5321, section 2.3.1)."""

    sender: str
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, message: EmailMessage) -> Self:
        """From `From`, which has one address, and `To`; raises a permanent MailError."""
        senders, recipients = _addresses(message, "From"), _addresses(message, "To")
        if len(senders) != 1 or not recipients:
            raise MailError("a message needs one sender and a recipient", permanent=True)
        return cls(senders[0], recipients)

    @property
    def is_international(self) -> bool:
        """Whether an address is beyond ASCII, which takes SMTPUTF8 (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))


def _addresses(message: EmailMessage, name: str) -> tuple[str, ...]:
    header = message[name]
    if header is None:
        return ()
    found = tuple(address.addr_spec for address in header.addresses)
    # Not header.defects: people have addresses such as a..b@example.com. A header that holds
    # something else altogether is read as an address without a domain.
    if not all(each.isprintable() and "@" in each[1:-1] for each in found):
        raise MailError(f"{name} holds what is no address", permanent=True)
    return found
