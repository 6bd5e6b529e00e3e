"""Calls in a thread: all are made, or, after an error, no more, and what is being made is told."""

import threading
from collections.abc import Callable

import pytest

from dbuploader.merge.background import BackgroundWorker

SECONDS = 60.0


class Broke(Exception):
    pass


class Call:
    """A call that takes until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.let_go.wait(SECONDS)
        self.ended.set()


def break_off(overlap: BackgroundWorker, *calls: Callable[[], object]) -> None:
    """Give the calls, and break the block off once the first has begun."""
    with overlap:
        for call in calls:
            overlap.submit(call)
        assert isinstance(calls[0], Call)
        assert calls[0].began.wait(SECONDS)
        raise Broke


def break_off_after(overlap: BackgroundWorker, call: Callable[[], object]) -> None:
    with overlap:
        overlap.result(overlap.submit(call))
        raise Broke


def test_all_calls_are_made_in_their_order() -> None:
    made: list[int] = []
    with BackgroundWorker(ahead=2) as overlap:
        for number in range(5):
            overlap.submit(lambda number=number: made.append(number))  # type: ignore[misc]
    assert made == [0, 1, 2, 3, 4]


def test_after_an_error_what_is_being_made_is_interrupted_and_waited_for() -> None:
    call, others = Call(), list[int]()
    with pytest.raises(Broke):
        break_off(
            BackgroundWorker(interrupt=call.let_go.set, ahead=2), call, lambda: others.append(1)
        )
    assert call.ended.is_set()
    assert others == []


def test_who_waits_for_the_end_may_break_off_too() -> None:
    call = Call()

    def give_up() -> None:
        raise Broke

    with pytest.raises(Broke), BackgroundWorker(give_up, interrupt=call.let_go.set) as overlap:
        overlap.submit(call)
    assert call.ended.is_set()


def test_a_call_that_may_stay_is_not_waited_for() -> None:
    call = Call()
    with pytest.raises(Broke):
        break_off(BackgroundWorker(may_stay=True), call)
    assert not call.ended.is_set()
    call.let_go.set()
    assert call.ended.wait(SECONDS)


def test_a_call_that_may_stay_is_given_a_moment_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbuploader.merge.background._LONGEST_END_SECONDS", SECONDS)
    call = Call()
    with pytest.raises(Broke):
        break_off(BackgroundWorker(interrupt=call.let_go.set, may_stay=True), call)
    assert call.ended.is_set()


def test_nothing_is_interrupted_when_no_call_is_being_made() -> None:
    interrupted: list[int] = []
    call = Call()
    call.let_go.set()
    overlap = BackgroundWorker(interrupt=lambda: interrupted.append(1))
    with pytest.raises(Broke):
        break_off_after(overlap, call)
    assert interrupted == []
