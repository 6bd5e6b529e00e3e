"""One call to a service for many equal requests that come at the same time."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

# A call that takes longer holds up nobody who came after it.
_MAX_WAIT_SECONDS = 0.1


class RequestCoalescer(Generic[T]):
    """Shares the answers to calls of the same key.

    Nobody is given an answer to a call that began before they asked, so that it is never older than
    one of their own would be: a request that comes while a call is under way shares the next.
    `is_shareable` says whether an answer is the same for everybody.
    """

    def __init__(self, is_shareable: Callable[[T], bool]) -> None:
        self._is_shareable = is_shareable
        self._lock = threading.Lock()
        self._next: dict[Hashable, Future[T]] = {}
        self._under_way: dict[Hashable, Future[T]] = {}

    def call(self, key: Hashable, call: Callable[[], T]) -> T:
        """What `call` returns or raises, or did for another request, if that can be shared."""
        with self._lock:
            answer = self._next.get(key)
            leads = answer is None
            if answer is None:
                answer = self._next[key] = Future()
            before = self._under_way.get(key)
        if leads:
            self._lead(key, answer, before, call)
        result = answer.result()
        return result if leads or self._is_shareable(result) else call()

    def _lead(
        self, key: Hashable, answer: "Future[T]", before: "Future[T] | None", call: Callable[[], T]
    ) -> None:
        _await(before)
        with self._lock:
            del self._next[key]
            self._under_way[key] = answer
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._under_way.get(key) is answer:
                    del self._under_way[key]


def _await(before: "Future[T] | None") -> None:
    if before is not None:
        done = threading.Event()
        before.add_done_callback(lambda _: done.set())
        done.wait(_MAX_WAIT_SECONDS)
