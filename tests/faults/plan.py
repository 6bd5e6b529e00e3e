"""Faults in this process: every call is numbered, and a plan says what is raised at which.

Whoever looks for faults by chance makes plans; whoever looks at each in turn counts the calls of a
run without one first.
"""

import threading
from collections.abc import Callable

MakeError = Callable[[str], BaseException | None]
"""What to raise at the call of a name; None lets it be."""


class Plan:
    """The calls so far, and the fault that the next ones meet; safe to share between threads."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._errors: dict[int, MakeError] = {}

    def arm(self, number: int, error: MakeError, times: int = 1) -> None:
        """From the call `number` on, counted from 0, meet `error` so many times."""
        with self._lock:
            self.calls.clear()
            self._errors = dict.fromkeys(range(number, number + times), error)

    def clear(self) -> None:
        """Forget the calls and the errors."""
        with self._lock:
            self.calls.clear()
            self._errors = {}

    def meet(self, call: str) -> None:
        """Note the call; raises what is planned for it."""
        with self._lock:
            make = self._errors.pop(len(self.calls), None)
            self.calls.append(call)
        error = None if make is None else make(call)
        if error is not None:
            raise error
