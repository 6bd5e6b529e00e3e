"""How long requests may wait for a thread: longer in a burst than where more come than can be."""

from muster.http.waiting import WaitingRequests, WaitingState


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_in_a_burst_one_may_wait_for_long() -> None:
    clock = Clock()
    waiting = WaitingRequests(WaitingState.private(2), clock)
    waiting.enter()
    clock.seconds += 2
    assert not waiting.is_too_long
    clock.seconds += 0.1
    assert waiting.is_too_long
    waiting.leave()
    assert not waiting.is_too_long


def test_where_requests_have_waited_all_the_time_a_further_one_may_only_for_a_moment() -> None:
    clock = Clock()
    waiting = WaitingRequests(WaitingState.private(2), clock)
    waiting.enter()
    for _ in range(210):
        clock.seconds += 0.01
        waiting.enter()
        waiting.leave()
    # The last one has just come, and there was always one before it.
    assert not waiting.is_too_long
    clock.seconds += 0.09
    assert not waiting.is_too_long
    clock.seconds += 0.02
    assert waiting.is_too_long


def test_of_very_many_at_once_those_are_refused_who_would_wait_too_long() -> None:
    clock = Clock()
    waiting = WaitingRequests(WaitingState.private(2), clock)
    for _ in range(50):
        waiting.enter()
    for _ in range(20):
        clock.seconds += 0.01
        waiting.leave()
    # A hundred are begun in a second: two hundred wait two.
    for _ in range(169):
        waiting.enter()
    assert not waiting.is_too_long
    for _ in range(2):
        waiting.enter()
    assert waiting.is_too_long


def test_how_fast_requests_are_begun_is_not_told_from_a_few() -> None:
    clock = Clock()
    waiting = WaitingRequests(WaitingState.private(2), clock)
    for _ in range(50):
        waiting.enter()
    clock.seconds += 0.2
    for _ in range(7):
        waiting.leave()
    # Else 43 would take more than a second, and 100 nearly three.
    for _ in range(57):
        waiting.enter()
    assert not waiting.is_too_long
    waiting.leave()
    assert waiting.is_too_long


def test_the_door_counts_those_that_are_on_their_way_with_those_that_wait() -> None:
    clock = Clock()
    state = WaitingState.private(2)
    waiting = WaitingRequests(state, clock)
    # Nobody is known to wait, and somebody has been on the way for long.
    assert not state.is_too_long(clock.seconds, before=0)
    assert not state.is_too_long(clock.seconds, before=1, since=clock.seconds - 1.9)
    assert state.is_too_long(clock.seconds, before=1, since=clock.seconds - 2.1)
    for _ in range(100):
        waiting.enter()
    for _ in range(20):
        clock.seconds += 0.01
        waiting.leave()
    assert not state.is_too_long(clock.seconds, before=119, since=clock.seconds)
    assert state.is_too_long(clock.seconds, before=121, since=clock.seconds)


def test_once_nobody_waits_it_is_a_burst_again() -> None:
    clock = Clock()
    waiting = WaitingRequests(WaitingState.private(2), clock)
    waiting.enter()
    clock.seconds += 3
    waiting.leave()
    waiting.enter()
    clock.seconds += 1
    assert not waiting.is_too_long
