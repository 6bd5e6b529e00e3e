"""The watchdog, with a clock that is set by hand."""

from dbuploader.uploads.watchdog import Watchdog


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_a_load_that_stands_still_ends_the_process() -> None:
    clock, ended = Clock(), []
    watchdog = Watchdog(300, end=lambda: ended.append(clock.time), clock=clock)

    with watchdog.watching():
        clock.time = 299
        watchdog.check()
        assert ended == []
        clock.time = 301
        watchdog.check()

    assert ended == [301]


def test_a_load_that_gets_on_is_left_alone() -> None:
    clock, ended = Clock(), []
    watchdog = Watchdog(300, end=lambda: ended.append(clock.time), clock=clock)

    with watchdog.watching():
        for time in range(0, 3000, 200):
            clock.time = time
            watchdog.touch()
            watchdog.check()

    assert ended == []


def test_an_idle_consumer_is_left_alone() -> None:
    clock, ended = Clock(), []
    watchdog = Watchdog(300, end=lambda: ended.append(clock.time), clock=clock)
    with watchdog.watching():
        pass
    watchdog.touch()
    clock.time = 1000

    watchdog.check()

    assert ended == []
