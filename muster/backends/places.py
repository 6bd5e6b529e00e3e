"""How many threads of a process may be in calls to its stores at once.

A store that hangs then keeps some threads of a server free for what needs no store.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from muster.weather import StoreUnavailable

# While a store works, a place is free sooner than this.
_WAIT_SECONDS = 0.25


class Places:
    """`count` places, or as many as are asked for if it is None; shared by stores and threads."""

    def __init__(self, count: int | None) -> None:
        self._free = None if count is None else threading.BoundedSemaphore(count)
        self._inside = threading.local()

    @contextmanager
    def take(self, where: str) -> Iterator[None]:
        """Hold a place in the block; raises StoreUnavailable, naming `where`, if none is free."""
        # A call may be made of calls, which share its place.
        if self._free is None or getattr(self._inside, "has_place", False):
            yield
            return
        if not self._free.acquire(timeout=_WAIT_SECONDS):
            raise StoreUnavailable(f"{where}: too many wait for it already")
        self._inside.has_place = True
        try:
            yield
        finally:
            self._inside.has_place = False
            self._free.release()
