"""A token that was checked is believed again, for a moment and never beyond its expiry."""

import pytest
from cachetools import TLRUCache

from muster.http.tokens import RECENT_SECONDS, Principal, recent_tokens


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def ana(self, seconds: int) -> Principal:
        """The principal of a token that expires in so many seconds."""
        return Principal("1", "ana@example.com", frozenset(), 1, "t", int(self.now) + seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> "TLRUCache[str, Principal]":
    return recent_tokens(clock)


def test_a_token_is_known_for_a_moment(recent: "TLRUCache[str, Principal]", clock: Clock) -> None:
    recent["t"] = ana = clock.ana(3600)
    clock.now += RECENT_SECONDS - 1
    assert recent.get("t") == ana
    clock.now += 1
    assert recent.get("t") is None


def test_a_token_is_not_known_beyond_its_expiry(
    recent: "TLRUCache[str, Principal]", clock: Clock
) -> None:
    recent["t"] = clock.ana(2)
    clock.now += 2
    assert recent.get("t") is None


def test_memory_does_not_grow_with_the_tokens(
    recent: "TLRUCache[str, Principal]", clock: Clock
) -> None:
    for number in range(10_000):
        recent[f"t{number}"] = clock.ana(3600)
    assert sum(f"t{number}" in recent for number in range(10_000)) < 5_000
    assert "t9999" in recent
