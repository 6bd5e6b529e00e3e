"""Requests that wait for a thread, and whether one more may: by how long the first has waited.

A burst may wait for long, because it is soon over. If requests have waited all the time for as long
as one may, then more come than are answered, and whoever waits longer is only answered later. So
from then on they may wait for a twentieth of it. The rule, and the ratio, are CoDel's:
https://queue.acm.org/detail.cfm?id=2839461, https://www.rfc-editor.org/rfc/rfc8289

What the first has waited tells too late of very many that come at once: the last of them would wait
for much longer. So it also counts how long one more would, as fast as others were begun meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable
from mmap import mmap

_TARGET_SHARE = 0.05
# Fewer, or in less time, tell nothing of how fast requests are begun.
_FEWEST_BEGUN, _SHORTEST_SECONDS = 8, 0.1
_FIRST, _STANDING, _WAITING, _BEGUN, _TAKEN, _REFUSED = range(6)
STATE_BYTES = 64


class WaitingState:
    """What two processes know of those that wait: its numbers are in memory that they share.

    A request may wait `most_seconds` in a burst. Each number is written by one process only, in one
    piece. Times are of the machine's monotonic clock.
    """

    def __init__(self, memory: mmap | bytearray, most_seconds: float) -> None:
        self._numbers = memoryview(memory).cast("d")
        self._most_seconds = most_seconds

    @classmethod
    def private(cls, most_seconds: float) -> "WaitingState":
        """Of one process."""
        return cls(bytearray(STATE_BYTES), most_seconds)

    def say(self, first_since: float, standing_since: float, waiting: int, begun: int) -> None:
        """Since when the first waits, 0 if there is none, and how many do.

        And since when there has always been one, and how many were begun since then.
        """
        numbers = self._numbers
        numbers[_STANDING], numbers[_WAITING], numbers[_BEGUN] = standing_since, waiting, begun
        numbers[_FIRST] = first_since

    def is_too_long(self, now: float, before: int = 0, since: float = 0.0) -> bool:
        """Whether one more would wait too long.

        So many are `before` those that are known here, and the first of them came at `since`.
        """
        first, stands_since, waiting, begun = self._numbers[:4]
        if not first and not before:
            return False
        stood = now - stands_since if first else 0.0
        most = self._most_seconds * (_TARGET_SHARE if stood > self._most_seconds else 1)
        waited = now - min(each for each in (first, since) if each)
        can_tell = stood > _SHORTEST_SECONDS and begun >= _FEWEST_BEGUN
        still = (waiting + before) * stood / begun if can_tell else 0.0
        return max(waited, still) > most

    @property
    def taken(self) -> int:
        """How many connections the process behind has taken from the door."""
        return int(self._numbers[_TAKEN])

    def take(self) -> None:
        """One more."""
        self._numbers[_TAKEN] += 1

    @property
    def refused(self) -> int:
        """How many requests the door has refused."""
        return int(self._numbers[_REFUSED])

    def refuse(self) -> None:
        """One more."""
        self._numbers[_REFUSED] += 1


class WaitingRequests:
    """The requests that wait, in their order. One thread lets them in, many others take them out.

    The `state` says so to the door, if there is one.
    """

    def __init__(self, state: WaitingState, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._now = clock
        self._since: deque[float] = deque()
        self._standing_since = 0.0
        self._begun = 0

    def enter(self) -> None:
        """One more waits."""
        now = self._now()
        if not self._since:
            self._standing_since, self._begun = now, 0
        self._since.append(now)
        self._say()

    def leave(self) -> None:
        """The first one waits no longer."""
        self._since.popleft()
        self._begun += 1
        self._say()

    @property
    def is_too_long(self) -> bool:
        """Whether the first has waited for too long, so that no further one is to be let in.

        One more would be answered when nobody waits for it any longer, and so would all that come
        after it, though the threads work as fast as they can.
        """
        self._say()
        return self._state.is_too_long(self._now())

    def _say(self) -> None:
        try:
            first = self._since[0]
        except IndexError:
            first = 0.0
        self._state.say(first, self._standing_since, len(self._since), self._begun)
