"""Which dependencies answer, and what waits for them once."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from math import isnan

import pytest
from prometheus_client import REGISTRY

from muster.backends.dependencies import FRESH_SECONDS, Afresh, Dependencies, Stuck, anew, once
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
        self.another = Backend()
        afresh = Afresh({"store": self.another.check}, 60.0)
        self.dependencies = Dependencies(service, checks, lambda: self.now, afresh)

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


def ask_for(watched: Watched, seconds: float) -> None:
    end = watched.now + seconds
    while watched.now < end:
        watched.ask()


def test_one_that_does_not_reach_what_another_reaches_is_stuck_until_it_does(
    watched: Watched,
) -> None:
    watched.backend.answers = False
    ask_for(watched, 60.0)
    watched.dependencies.check()
    assert watched.another.asked == 0
    watched.ask()
    with pytest.raises(Stuck):
        watched.dependencies.check()
    watched.backend.answers = True
    watched.ask()
    watched.dependencies.check()


def test_an_outage_of_an_hour_has_nobody_started_again(watched: Watched) -> None:
    watched.backend.answers = watched.another.answers = False
    for _ in range(6):
        ask_for(watched, 600.0)
        watched.dependencies.check()
    watched.backend.answers = True
    watched.ask()
    # The next one counts from its own start.
    watched.backend.answers, watched.another.answers = False, True
    ask_for(watched, 60.0)
    watched.dependencies.check()


def test_another_client_is_one_of_its_own_which_is_closed() -> None:
    opened: list[str] = []

    class Client:
        def check(self) -> None:
            opened.append("checked")

        def close(self) -> None:
            opened.append("closed")

    check = anew(Client)
    check()
    check()
    assert opened == ["checked", "closed"] * 2


def test_who_waits_meets_no_question_that_is_just_being_asked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, hanging, store = [0.0], Backend(), Backend()
    checks = {"broker": hanging.check, "store": store.check}
    dependencies = Dependencies(request.node.name, checks, lambda: clock[0])
    hanging.free.clear()
    start = threading.Thread.start
    before = threading.enumerate()

    def asking() -> int:
        found = set(threading.enumerate()) - set(before)
        return sum(thread.name == "dependency" for thread in found)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(dependencies.ask, DEADLINE_SECONDS)
        eventually(lambda: hanging.asked == store.asked == asking() == 1)

        def start_once_the_other_has_gone_on(thread: threading.Thread) -> None:
            hanging.free.set()
            wait([waiting], DEADLINE_SECONDS)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_once_the_other_has_gone_on)
        clock[0] += FRESH_SECONDS
        dependencies.ask()
        assert waiting.done()
        waiting.result()
