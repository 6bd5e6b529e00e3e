"""Which of the backends that a process works with answer: a metric and a log line, no readiness.

They are asked when somebody looks: Prometheus at `/metrics`, a probe at `/readyz`. Nobody waits
for one that hangs, and an idle process that nobody looks at asks nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from math import nan

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
"""What was asked so lately is not asked again; what hangs for so long does not answer."""


def once(check: Check) -> Check:
    """A check that passes for ever after `check` has passed once."""
    passed = threading.Event()

    def latch() -> None:
        if not passed.is_set():
            check()
            passed.set()

    return latch


class Dependencies:
    """What the `service` works with, by name."""

    def __init__(
        self,
        service: str,
        checks: Mapping[str, Check],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked = [_Dependency(service, *each, clock) for each in checks.items()]

    def ask(self, seconds: float = 0.0) -> None:
        """Have each asked, unless it was just now, and wait up to `seconds` for their answers."""
        for each in self._asked:
            each.ask()
        deadline = time.monotonic() + seconds
        for each in self._asked:
            each.wait(max(0.0, deadline - time.monotonic()))


class _Dependency:
    def __init__(self, service: str, name: str, check: Check, clock: Callable[[], float]) -> None:
        self._name = name
        self._check = check
        self._clock = clock
        self._up = UP.labels(service, name)
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
            self._asking = threading.Thread(target=self._ask, name="dependency", daemon=True)
            self._asking.start()

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
            log.warning("dependency not ready", dependency=self._name, error=repr(error))
        else:
            self._up.set(1)
