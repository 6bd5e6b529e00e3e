"""Who asks the same at the same time shares a call, and nobody gets an answer that is too old."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.proxy.coalesce import RequestCoalescer
from tests.waiting import eventually


class Source:
    """Answers with the number of the call, each call once it is let go."""

    def __init__(self) -> None:
        self.begun: list[Future[None]] = []
        self._lock = threading.Lock()

    def __call__(self) -> int:
        gate: Future[None] = Future()
        with self._lock:
            self.begun.append(gate)
            number = len(self.begun)
        gate.result(60)
        return number


@pytest.fixture
def shared() -> RequestCoalescer[int]:
    return RequestCoalescer(lambda answer: answer >= 0)


def test_who_asks_alone_gets_an_own_answer_each_time(shared: RequestCoalescer[int]) -> None:
    numbers = iter(range(3))
    assert [shared.call("k", lambda: next(numbers)) for _ in range(3)] == [0, 1, 2]


def test_who_comes_while_a_call_is_under_way_shares_the_next(shared: RequestCoalescer[int]) -> None:
    source = Source()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.call, "k", source)
        eventually(lambda: len(source.begun) == 1)
        later = [pool.submit(shared.call, "k", source) for _ in range(4)]
        eventually(lambda: len(source.begun) == 2)
        source.begun[0].set_result(None)
        source.begun[1].set_result(None)
        assert first.result() == 1
        eventually(lambda: all(future.done() for future in later) or len(source.begun) > 2)
        for gate in source.begun[2:]:
            gate.set_result(None)
        assert all(2 <= future.result() < 5 for future in later)


def test_other_questions_are_not_held_up(shared: RequestCoalescer[int]) -> None:
    source = Source()
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(shared.call, "k", source)
        eventually(lambda: len(source.begun) == 1)
        assert shared.call("other", lambda: 7) == 7
        source.begun[0].set_result(None)
        assert held.result() == 1


def test_an_error_is_raised_and_the_next_call_is_made_anew(shared: RequestCoalescer[int]) -> None:
    def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        shared.call("k", fail)
    assert shared.call("k", lambda: 1) == 1


def test_an_answer_about_the_one_who_asked_is_not_shared(shared: RequestCoalescer[int]) -> None:
    gates = [threading.Event(), threading.Event()]
    begun = [threading.Event(), threading.Event()]

    def refuse(number: int) -> int:
        begun[number].set()
        gates[number].wait(60)
        return -1

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared.call, "k", lambda: refuse(0))
        begun[0].wait(60)
        second = pool.submit(shared.call, "k", lambda: refuse(1))
        third = pool.submit(shared.call, "k", lambda: 3)
        gates[1].set()
        gates[0].set()
        assert (first.result(), third.result()) == (-1, 3)
        assert second.result() in {-1, 3}
