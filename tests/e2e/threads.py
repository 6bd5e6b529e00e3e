"""Threads that go on until a block ends."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def in_threads(works: Sequence[Callable[[], None]], stop: threading.Event) -> Iterator[None]:
    """Each work in a thread of its own; as the block ends `stop` is set, which ends them."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
