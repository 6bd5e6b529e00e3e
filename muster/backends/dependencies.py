"""Which of the backends that a process works with answer: a metric and a log line, no readiness.

They are asked when somebody looks: Prometheus at `/metrics`, a probe at `/readyz`. Nobody waits
for one that hangs, and an idle process that nobody looks at asks nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from math import nan
from typing import Protocol

import structlog
from prometheus_client import Gauge

Check = Callable[[], None]
"""Returns if a dependency answers; raises otherwise."""

log = structlog.get_logger(__name__)

UP = Gauge(
    "muster_dependency_up",
    "Whether what the process works with answers.",
    ("service", "dependency"),
)
FRESH_SECONDS = 5.0
"""An answer this fresh is not asked for again; what hangs this long does not answer."""


def once(check: Check) -> Check:
    """A check that passes for ever after `check` has passed once."""
    passed = threading.Event()

    def latch() -> None:
        if not passed.is_set():
            check()
            passed.set()

    return latch


class Stuck(Exception):
    """This process can't reach what another one can."""


class Opened(Protocol):
    """An adapter: something to connect with."""

    def check(self) -> None:
        """Return if it answers; raises otherwise."""

    def close(self) -> None:
        """Give up the connections."""


def anew(open_adapter: Callable[[], Opened]) -> Check:
    """A check by an adapter of its own, as a process that has just started would make it."""

    def check() -> None:
        with closing(open_adapter()) as adapter:
            adapter.check()

    return check


@dataclass(frozen=True)
class Afresh:
    """Checks by adapters of their own, by name, tried once others have failed for `seconds`."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    seconds: float = 300.0


class Dependencies:
    """What the `service` works with, by name.

    `checks` use what the process uses. Where one has failed for long and its like `afresh` passes,
    the process is stuck.
    """

    def __init__(
        self,
        service: str,
        checks: Mapping[str, Check],
        clock: Callable[[], float] = time.monotonic,
        afresh: Afresh | None = None,
    ) -> None:
        self._asked = [
            _Dependency(UP.labels(service, name), name, check, clock, afresh or Afresh())
            for name, check in checks.items()
        ]

    def ask(self, seconds: float = 0.0) -> None:
        """Have each asked, unless it was just now, and wait up to `seconds` for their answers."""
        for each in self._asked:
            each.ask()
        deadline = time.monotonic() + seconds
        for each in self._asked:
            each.wait(max(0.0, deadline - time.monotonic()))

    def check(self) -> None:
        """Return unless the process is stuck; raises Stuck. Asks nothing."""
        for each in self._asked:
            if each.is_stuck:
                raise Stuck(f"{each.name} answers others, and not this process")


class _Dependency:
    def __init__(
        self,
        up: Gauge,
        name: str,
        check: Check,
        clock: Callable[[], float],
        afresh: Afresh,
    ) -> None:
        self.name = name
        self.is_stuck = False
        self._afresh = afresh
        self._away_since: float | None = None
        self._check = check
        self._clock = clock
        self._up = up
        # Not known yet.
        self._up.set(nan)
        self._lock = threading.Lock()
        self._asked_at = -FRESH_SECONDS
        self._asking: threading.Thread | None = None

    def ask(self) -> None:
        """Begin to ask, in a thread of its own; one question at a time."""
        with self._lock:
            now = self._clock()
            if now - self._asked_at < FRESH_SECONDS:
                return
            if self._asking is not None and self._asking.is_alive():
                self._up.set(0)
                return
            self._asked_at = now
            asking = threading.Thread(target=self._ask, name="dependency", daemon=True)
            asking.start()
            # Not before: who waits for an earlier answer would join one that has not begun.
            self._asking = asking

    def wait(self, seconds: float) -> None:
        """Return once it has answered, or after so long."""
        asking = self._asking
        if asking is not None:
            asking.join(seconds)

    def _ask(self) -> None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever a check raises, it does not answer
            self._up.set(0)
            log.warning("dependency not ready", dependency=self.name, error=repr(error))
            self.is_stuck = self._is_stuck()
        else:
            self._up.set(1)
            self._away_since = None
            self.is_stuck = False

    def _is_stuck(self) -> bool:
        """Whether it has been away for long, and answers whoever connects anew."""
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        afresh = self._afresh.checks.get(self.name)
        if afresh is None or now - self._away_since < self._afresh.seconds:
            return False
        try:
            afresh()
        except Exception:  # noqa: BLE001 - as above: it is away for all
            return False
        log.error("dependency answers others", dependency=self.name)
        return True
