"""A token that was checked is believed again, for a moment and never beyond its end."""

import pytest

from muster.http.recent_tokens import RECENT_SECONDS, RecentTokens


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> RecentTokens[str]:
    return RecentTokens(clock)


def test_a_token_is_known_for_a_moment(recent: RecentTokens[str], clock: Clock) -> None:
    recent.keep("t", "ana", clock.now + 3600)
    clock.now += RECENT_SECONDS - 1
    assert recent.find("t") == "ana"
    clock.now += 1
    assert recent.find("t") is None


def test_a_token_is_not_known_beyond_its_end(recent: RecentTokens[str], clock: Clock) -> None:
    recent.keep("t", "ana", clock.now + 2)
    clock.now += 2
    assert recent.find("t") is None


def test_another_token_is_not_known(recent: RecentTokens[str], clock: Clock) -> None:
    recent.keep("t", "ana", clock.now + 3600)
    assert recent.find("t2") is None


def test_memory_does_not_grow_with_the_tokens(recent: RecentTokens[str], clock: Clock) -> None:
    for number in range(10_000):
        recent.keep(f"t{number}", "ana", clock.now + 3600)
    assert sum(recent.find(f"t{number}") is not None for number in range(10_000)) < 5_000
    assert recent.find("t9999") == "ana"
