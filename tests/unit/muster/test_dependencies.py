"""Which dependencies answer, and what waits for them once."""

import threading
from math import isnan

import pytest
from prometheus_client import REGISTRY

from muster.dependencies import FRESH_SECONDS, Dependencies, once
from tests.waiting import DEADLINE_SECONDS, eventually


class Backend:
    """Answers, raises or hangs, and counts how often it was asked."""

    def __init__(self) -> None:
        self.answers = True
        self.free = threading.Event()
        self.free.set()
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        assert self.free.wait(DEADLINE_SECONDS)
        if not self.answers:
            raise ConnectionError


class Watched:
    """One backend of a service of its own, by a clock that stands still."""

    def __init__(self, service: str) -> None:
        self.now = 0.0
        self.backend = Backend()
        self.service = service
        checks = {"store": self.backend.check}
        self.dependencies = Dependencies(service, checks, lambda: self.now)

    @property
    def up(self) -> float:
        labels = {"service": self.service, "dependency": "store"}
        value = REGISTRY.get_sample_value("muster_dependency_up", labels)
        assert value is not None
        return value

    def ask(self) -> float:
        self.now += FRESH_SECONDS
        self.dependencies.ask(DEADLINE_SECONDS)
        return self.up


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(request.node.name)


def test_it_is_not_known_before_anybody_asked(watched: Watched) -> None:
    assert isnan(watched.up)


def test_it_follows_the_backend(watched: Watched) -> None:
    assert watched.ask() == 1
    watched.backend.answers = False
    assert watched.ask() == 0
    watched.backend.answers = True
    assert watched.ask() == 1


def test_many_who_look_ask_the_backend_once(watched: Watched) -> None:
    watched.ask()
    for _ in range(10):
        watched.dependencies.ask(DEADLINE_SECONDS)
    assert watched.backend.asked == 1


def test_one_that_hangs_is_away_and_keeps_nobody_waiting(watched: Watched) -> None:
    assert watched.ask() == 1
    watched.backend.free.clear()
    watched.now += FRESH_SECONDS
    watched.dependencies.ask(0)
    assert watched.up == 1
    for _ in range(3):
        watched.now += FRESH_SECONDS
        watched.dependencies.ask(0)
        assert watched.up == 0
    # One question waits, and not four.
    assert watched.backend.asked == 2
    watched.backend.free.set()
    eventually(lambda: watched.up == 1)


def test_what_was_there_once_is_not_asked_for_again() -> None:
    backend = Backend()
    check = once(backend.check)
    backend.answers = False
    with pytest.raises(ConnectionError):
        check()
    backend.answers = True
    check()
    backend.answers = False
    check()
    assert backend.asked == 2
