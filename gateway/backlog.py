"""How much waits for others, and for how long: measured by the relay, which also lives where no
loader and no notification does.
"""

import math
import time
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from muster.broker import Broker, BrokerUnavailable
from muster.contracts.uploads import now
from muster.csvstore import CsvStore

log = structlog.get_logger(__name__)

UPLOADS = Gauge("muster_unfinished_uploads", "Uploads not final, or not announced as such.")
AGE = Gauge("muster_unfinished_age_seconds", "Age of the oldest of these uploads.")
SET_ASIDE = Gauge("muster_set_aside_records", "Upload records that can't be read.")
EMAILS = Gauge("muster_waiting_emails", "Messages in the queue of emails.")

_EVERY_SECONDS = 15.0
_EMAIL_QUEUE = "notification"


class BacklogMeter:
    """Sets the gauges, now and then: each time costs the store three queries and the broker one."""

    def __init__(
        self, store: CsvStore, broker: Broker, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._measured_at = -math.inf

    def measure_if_due(self) -> None:
        """Measure, if that was not done just now. Raises StoreUnavailable."""
        if self._clock() - self._measured_at < _EVERY_SECONDS:
            return
        self._measured_at = self._clock()
        EMAILS.set(self._count_emails())
        backlog = self._store.backlog()
        oldest = backlog.oldest_at
        UPLOADS.set(backlog.uploads)
        AGE.set(0 if oldest is None else (now() - oldest).total_seconds())
        SET_ASIDE.set(self._store.count_set_aside())

    def _count_emails(self) -> float:
        try:
            return self._broker.depth(_EMAIL_QUEUE).waiting
        except BrokerUnavailable as error:
            log.warning("emails not counted", error=str(error))
            return math.nan
