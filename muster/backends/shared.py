"""What the stores of a process share: places for the threads that call them, and connections.

A store that hangs then keeps some threads of a server free for what needs no store.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from muster.weather import StoreUnavailable

C = TypeVar("C")

# While a store works, a place is free sooner than this.
_WAIT_SECONDS = 0.25


class Shared:
    """`places` threads may be in calls at once, or any number if it is None."""

    def __init__(self, places: int | None = None) -> None:
        self._free = None if places is None else threading.BoundedSemaphore(places)
        self._inside = threading.local()
        self._connections: dict[str, Any] = {}

    def connection(self, url: str, connect: Callable[[], C]) -> C:
        """The connection to `url`, which the first call makes by `connect`.

        All who share one to the same URL make it of the same class.
        """
        if url not in self._connections:
            self._connections[url] = connect()
        connection: C = self._connections[url]
        return connection

    @contextmanager
    def place(self, where: str) -> Iterator[None]:
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
