"""Where webhooks may go."""

from contextlib import closing
from ipaddress import ip_address, ip_network
from threading import Event

import pytest

from notification.channels.webhook.addresses import (
    AddressPolicy,
    Forbidden,
    Resolve,
    Resolver,
    Target,
    Unresolved,
    WrongUrl,
    is_public,
    parse_url,
)

PUBLIC = AddressPolicy()
NOT_PUBLIC = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "168.63.129.16"),
    *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%2", "fec0::1"),
    "ff02::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_not_called(address: str) -> None:
    target = Target("https", "hooks.example.com", 443, "/")
    with pytest.raises(Forbidden, match="may not call"):
        PUBLIC.pick(target, [address])
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(WrongUrl):
        PUBLIC.check_url(f"https://{literal}/")


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_called(address: str) -> None:
    assert is_public(ip_address(address))
    target = Target("https", "hooks.example.com", 443, "/")
    assert PUBLIC.pick(target, ["127.0.0.1", address]) == [ip_address(address)]


@pytest.mark.parametrize(
    ("scheme", "port"), [("http", 80), ("http", 443), ("https", 25), ("https", 6379)]
)
def test_only_https_at_its_ports_is_called(scheme: str, port: int) -> None:
    with pytest.raises(WrongUrl):
        PUBLIC.check_url(f"{scheme}://hooks.example.com:{port}/")
    with pytest.raises(Forbidden):
        PUBLIC.pick(Target(scheme, "hooks.example.com", port, "/"), ["8.8.8.8"])


def test_a_setting_allows_networks_and_there_http_at_any_port() -> None:
    policy = AddressPolicy(allow=[ip_network("10.1.0.0/16"), ip_network("::1/128")])
    target = policy.check_url("http://10.1.2.3:8000/hook")
    assert policy.pick(target, ["10.1.2.3"]) == [ip_address("10.1.2.3")]
    assert policy.pick(target, ["::ffff:10.1.2.3"]) == [ip_address("10.1.2.3")]
    with pytest.raises(Forbidden):
        policy.pick(target, ["10.2.0.1", "8.8.8.8", "127.0.0.1"])


def test_a_setting_forbids_public_networks() -> None:
    policy = AddressPolicy(forbid=[ip_network("8.8.0.0/16")])
    with pytest.raises(Forbidden):
        policy.pick(Target("https", "hooks.example.com", 443, "/"), ["8.8.8.8"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "https:///hook",
        "https://ana:secret@hooks.example.com/",
        "https://ana@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: x",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hööks.example.com/",
        "https://hooks.example.com/" + 2048 * "a",
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(WrongUrl):
        PUBLIC.check_url(url)


def test_a_url_is_taken_apart() -> None:
    assert parse_url("https://Hooks.Example.com/a?b=c") == Target(
        "https", "hooks.example.com", 443, "/a?b=c"
    )
    assert parse_url("https://[2606:4700::1111]:8443").authority == "[2606:4700::1111]:8443"


def test_a_name_that_is_not_resolved_in_time_or_at_all_has_no_address() -> None:
    target, hangs = parse_url("https://hooks.example.com/"), Event()

    def hang(*_: object) -> list[str]:
        hangs.wait(60)
        return []

    def fail(*_: object) -> list[str]:
        raise OSError("no such name")

    lookups: list[Resolve] = [hang, fail, lambda *_: []]
    for look_up in lookups:
        with closing(Resolver(1, look_up)) as resolver, pytest.raises(Unresolved):
            resolver.addresses(target, 0.01)
        hangs.set()
