"""Where webhooks may go: what a URL may be, and which of the addresses of its host may be called.

A user who could name any address would have this service ask what they can't reach themselves: the
databases beside it, the cloud's metadata, a router. https://owasp.org/www-community/attacks/Server_Side_Request_Forgery
"""

import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host and port; raises OSError."""

MOST_CHARACTERS = 2048
PORTS = (443, 8443)
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-;=@-\[\]_a-z|~%]*)?(?P<query>\?[!$-;=?-\[\]_a-z|~%]*)?"
)
# Without what stands for an address of IPv4, such as NAT64.
_PUBLIC_IPV6 = ip_network("2000::/3")
_NOT_PUBLIC = tuple(
    ip_network(each)
    for each in (
        # Some of whose hosts Python takes for global; then 6to4's relays, and Azure's own agent.
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
        # Teredo and its neighbours, 6to4, documentation.
        *("2001::/23", "2002::/16", "3fff::/20"),
    )
)


class WrongUrl(Exception):
    """A URL that no webhook can have; the message says what is wrong with it."""


class Forbidden(Exception):
    """The host has no address that may be called; the message names one that may not."""


class Unresolved(Exception):
    """The host has no address now."""


@dataclass(frozen=True)
class Target:
    """A URL, taken apart. `host` is without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_default_port(self) -> bool:
        """Whether a `Host` header leaves the port out."""
        return self.port == (443 if self.scheme == "https" else 80)

    @property
    def authority(self) -> str:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.is_default_port else f"{host}:{self.port}"

    @property
    def literal(self) -> Address | None:
        """The host, where it is an address."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_url(url: str) -> Target:
    """The URL taken apart, if its form is one that a webhook can have; raises WrongUrl."""
    if len(url) > MOST_CHARACTERS:
        raise WrongUrl(f"A URL has {MOST_CHARACTERS:,} characters at most.")
    found = _URL.fullmatch(url)
    if found is None:
        raise WrongUrl(
            "Write https://HOST/PATH in ASCII: no user name or password, no fragment, other "
            "characters percent-encoded and a host in its xn-- form."
        )
    scheme, host = found["scheme"], found["host"].strip("[]").lower()
    port = int(found["port"] or (443 if scheme == "https" else 80))
    if not 1 <= port <= 65535:
        raise WrongUrl("A port is a number from 1 to 65535.")
    return Target(scheme, host, port, (found["path"] or "/") + (found["query"] or ""))


class AddressPolicy:
    """What may be called: public addresses, by https at PORTS; in the networks `allow` anything.

    Nothing in `forbid`, such as the addresses of a cluster that look public.
    """

    def __init__(self, allow: Sequence[Network] = (), forbid: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)
        self._forbid = tuple(forbid)

    def check_url(self, url: str) -> Target:
        """The URL taken apart; raises WrongUrl for what can be seen to be forbidden without asking.

        A name is only looked up when something is sent: what it stands for may change.
        """
        target = parse_url(url)
        literal = target.literal
        if literal is not None and not self._may_call(literal, target):
            raise WrongUrl(f"{target.host} is not an address that a webhook may call.")
        if not self._allow:
            self._check_public(target)
        return target

    def pick(self, target: Target, addresses: Sequence[str]) -> list[Address]:
        """The addresses that may be called, in their order; raises Forbidden if there is none."""
        found = [_plain(ip_address(each)) for each in addresses]
        allowed = [each for each in found if self._may_call(each, target)]
        if not allowed:
            raise Forbidden(f"{target.host} is at {found[0]}, which a webhook may not call")
        return allowed

    def _may_call(self, address: Address, target: Target) -> bool:
        address = _plain(address)
        if _is_in(address, self._forbid):
            return False
        if _is_in(address, self._allow):
            return True
        return is_public(address) and target.scheme == "https" and target.port in PORTS

    @staticmethod
    def _check_public(target: Target) -> None:
        if target.scheme != "https":
            raise WrongUrl("A webhook is called by https.")
        if target.port not in PORTS:
            raise WrongUrl(f"A webhook is called at port {' or '.join(map(str, PORTS))}.")


def is_public(address: Address) -> bool:
    """Whether the address is one of the public network, and of one host."""
    if address.version == 6 and address not in _PUBLIC_IPV6:
        return False
    return address.is_global and not address.is_multicast and not _is_in(address, _NOT_PUBLIC)


def _plain(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 is mapped to; without a zone."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of the host, as the system resolves it; raises OSError."""
    # With a dot at its end a name is not tried in the search domains, such as a cluster's.
    name = f"{host}." if "." in host and not host[-1].isdigit() and ":" not in host else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(each[4][0]) for each in found]


class Resolver:
    """Looks hosts up within a time: the system's call has none of its own."""

    def __init__(self, threads: int, look_up: Resolve = look_up) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._look_up = look_up

    def addresses(self, target: Target, seconds: float) -> Sequence[str]:
        """The addresses of its host; raises Unresolved, also when there are none in time."""
        if target.literal is not None:
            return [target.host]
        future = self._pool.submit(self._look_up, target.host, target.port)
        try:
            found = future.result(timeout=max(0.0, seconds))
        except NotInTime:
            future.cancel()
            raise Unresolved(f"{target.host} is not resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise Unresolved(f"{target.host} can't be resolved: {error}") from None
        if not found:
            raise Unresolved(f"{target.host} has no address")
        return found

    def close(self) -> None:
        """Wait for no answer any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
