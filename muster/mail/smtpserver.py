"""Which server takes the mail, as a URL says it.

`smtp://`, `smtps://` or `smtp+starttls://`, then `[USER:PASSWORD@]HOST[:PORT][?ca_file=PATH]`. An
error shows no part of a URL but the `ca_file` of a good one: where a password isn't
percent-encoded, any other part may be it.
"""

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from muster.adapters import ConfigurationError

_PORTS = {
    "smtp": 25,  # RFC 5321, section 4.5.4.2
    "smtps": 465,  # RFC 8314, section 3.3
    "smtp+starttls": 587,  # RFC 6409, section 3.1
}


@dataclass(frozen=True)
class Account:
    """Who logs in."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class SmtpServer:
    """A server, how to talk to it (`scheme`), and the certificates that are trusted, if any are."""

    scheme: str
    host: str
    port: int
    account: Account | None
    tls: ssl.SSLContext | None

    @classmethod
    def from_url(cls, url: str) -> "SmtpServer":
        """Raises ConfigurationError, also where a password would travel in the clear."""
        try:
            parts = urlsplit(url)
            host, port = _host_of(parts), parts.port or _PORTS[parts.scheme]
        except ValueError:
            # From None: the reason quotes the URL.
            _refuse("write [USER:PASSWORD@]HOST[:PORT], user and password percent-encoded", None)
        if parts.path.strip("/") or parts.fragment:
            _refuse("nothing but ?ca_file= may follow the host and the port")
        account = _account_of(parts)
        if account and parts.scheme == "smtp" and not _is_loopback(host):
            _refuse("a password needs smtps:// or smtp+starttls://, unless the host is this one")
        return cls(parts.scheme, host, port, account, _trust_of(parts))


def _refuse(advice: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigurationError(f"The mail URL can't be used: {advice}.") from cause


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" not in host:
        # What no resolver takes raises here rather than at the first email.
        host = host.encode("idna").decode("ascii")
    if not host or host != "".join(host.split()):
        raise ValueError("no host")
    return host


def _account_of(parts: SplitResult) -> Account | None:
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        _refuse("to log in takes a user and a password")
    if not (user + password).isascii():
        # smtplib encodes both as ASCII, and its error would quote them.
        _refuse("user and password have to be ASCII")
    return Account(user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # RFC 6761, section 6.3


def _trust_of(parts: SplitResult) -> ssl.SSLContext | None:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca_file = options.pop("ca_file", None)
    # An empty one, as a template may leave it, would trust the system's authorities instead.
    if options or ca_file == "":
        _refuse("the only option is ?ca_file=PATH")
    if parts.scheme == "smtp":
        if ca_file is not None:
            _refuse("?ca_file= is for smtps:// and smtp+starttls://")
        return None
    try:
        # An authority named here takes the place of the system's.
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        _refuse(f"ca_file {ca_file!r} can't be read: {error}", error)
