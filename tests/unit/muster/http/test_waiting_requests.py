"""How long requests may wait for a thread: longer in a burst than where more come than can be."""

from muster.http.waiting import WaitingRequests


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_in_a_burst_one_may_wait_for_long() -> None:
    clock = Clock()
    waiting = WaitingRequests(2, clock)
    waiting.enter()
    clock.seconds += 2
    assert not waiting.is_too_long
    clock.seconds += 0.1
    assert waiting.is_too_long
    waiting.leave()
    assert not waiting.is_too_long


def test_where_requests_have_waited_all_the_time_a_further_one_may_only_for_a_moment() -> None:
    clock = Clock()
    waiting = WaitingRequests(2, clock)
    waiting.enter()
    for _ in range(21):
        clock.seconds += 0.1
        waiting.enter()
        waiting.leave()
    # The last one has just come, and there was always one before it.
    assert not waiting.is_too_long
    clock.seconds += 0.09
    assert not waiting.is_too_long
    clock.seconds += 0.02
    assert waiting.is_too_long


def test_once_nobody_waits_it_is_a_burst_again() -> None:
    clock = Clock()
    waiting = WaitingRequests(2, clock)
    waiting.enter()
    clock.seconds += 3
    waiting.leave()
    waiting.enter()
    clock.seconds += 1
    assert not waiting.is_too_long
