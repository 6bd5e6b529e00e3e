"""Requests that wait for a thread, and whether one more may: by how long the first has waited.

A burst may wait for long, because it is soon over. If requests have waited all the time for as long
as one may, then more come than are answered, and whoever waits longer is only answered later. So
from then on they may wait for a twentieth of it. The rule, and the ratio, are CoDel's:
https://queue.acm.org/detail.cfm?id=2839461, https://www.rfc-editor.org/rfc/rfc8289
"""

import time
from collections import deque
from collections.abc import Callable

_TARGET_SHARE = 0.05


class WaitingRequests:
    """The requests that wait, in their order. One thread lets them in, many others take them out.

    `most_seconds` is how long one may wait in a burst.
    """

    def __init__(self, most_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_seconds = most_seconds
        self._now = clock
        self._since: deque[float] = deque()
        # Since when there has always been one.
        self._standing_since = 0.0

    def enter(self) -> None:
        """One more waits."""
        now = self._now()
        if not self._since:
            self._standing_since = now
        self._since.append(now)

    def leave(self) -> None:
        """The first one waits no longer."""
        self._since.popleft()

    @property
    def is_too_long(self) -> bool:
        """Whether the first has waited for too long, so that no further one is to be let in.

        One more would be answered when nobody waits for it any longer, and so would all that come
        after it, though the threads work as fast as they can.
        """
        try:
            first = self._since[0]
        except IndexError:
            return False
        now = self._now()
        stands = now - self._standing_since > self._most_seconds
        return now - first > self._most_seconds * (_TARGET_SHARE if stands else 1)
