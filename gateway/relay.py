"""`python -m gateway.relay`: publishes what the gateway could not, and removes files in time.

It also measures how much work waits, and for how long, because it runs while the loader and the
notification may not.
"""

from muster import startup  # noqa: F401

# isort: split
import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import takewhile

import structlog
from prometheus_client import Gauge

from gateway.settings import Settings
from gateway.uploads.expiry import BATCH, FileExpiry
from gateway.uploads.outbox import Outbox
from gateway.uploads.sweep import OrphanSweep
from muster.backends.dependencies import once
from muster.broker import Broker, BrokerUnavailable, QueueDepth, open_broker
from muster.contracts.uploads import now
from muster.observability.tracing import working_on
from muster.settings import read_settings
from muster.stores import Stores, open_stores
from muster.uploadstore import UploadStore
from muster.weather import Unavailable
from muster.worker.process import worker_process

log = structlog.get_logger(__name__)

OUTBOX_AGE = Gauge("muster_outbox_age_seconds", "Age of the oldest upload that is not published.")
UNFINISHED = Gauge("muster_unfinished_uploads", "Uploads not final, or not announced as such.")
UNFINISHED_AGE = Gauge("muster_unfinished_age_seconds", "Age of the oldest of these uploads.")
SET_ASIDE = Gauge("muster_set_aside_records", "Upload records that can't be read.")
EMAILS = Gauge("muster_waiting_emails", "Messages in the queue of emails.")
DEAD_LETTERS = Gauge("muster_dead_letters", "Messages that were given up.", ["queue"])

INTERVAL_SECONDS = 1.0
# The gateway publishes by itself at once; only what is older than this has been left to the relay.
GRACE = timedelta(seconds=2)
_BATCH = 100
_SWEEP_EVERY_SECONDS = 600.0
_EXPIRE_EVERY_SECONDS = 60.0
_MEASURE_EVERY_SECONDS = 15.0
_MAX_HEARTBEAT_SECONDS = 60.0
_UPLOAD_QUEUE, _EMAIL_QUEUE = "dbuploader", "notification"


class Relay:
    """The relay's work, one turn at a time."""

    def __init__(
        self,
        stores: Stores,
        broker: Broker,
        sweep_after: float,
        keep_files_days: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = stores
        self._outbox = Outbox(stores.uploads, broker)
        self._backlog = BacklogMeter(stores.uploads, broker)
        self._sweep = OrphanSweep(stores, sweep_after)
        self._expiry = FileExpiry(stores, keep_files_days)
        self._clock = clock
        self._swept_at = self._expired_at = -math.inf
        self._turned_at = clock()

    def run(self, stop: threading.Event) -> None:
        """Take turns until `stop` is set; while the store or the broker is away, it goes on."""
        while not stop.is_set():
            try:
                self.turn()
            except Unavailable as error:
                log.warning("relay will try again", error=repr(error))
            self._turned_at = self._clock()
            stop.wait(INTERVAL_SECONDS)

    def turn(self) -> None:
        """Measure what waits and publish it, oldest first; remove what is kept for no one.

        The first that can't be published ends the turn, so that none overtakes it. Raises
        Unavailable.
        """
        oldest = self._stores.uploads.oldest_unpublished()
        OUTBOX_AGE.set(0 if oldest is None else (now() - oldest.submitted_at).total_seconds())
        self._backlog.measure_if_due()
        self._publish()
        if self._clock() - self._swept_at >= _SWEEP_EVERY_SECONDS:
            self._swept_at = self._clock()
            removed = self._sweep.run()
            log.info("swept", removed=removed)
        if self._clock() - self._expired_at >= _EXPIRE_EVERY_SECONDS:
            self._expire()

    def _expire(self) -> None:
        """A batch of files; after a full one the next turn goes on."""
        expired = self._expiry.run()
        if expired < BATCH:
            self._expired_at = self._clock()
        if expired:
            log.info("files expired", removed=expired)

    def check(self) -> None:
        """Return if turns are being taken; raises RuntimeError."""
        silent = self._clock() - self._turned_at
        if silent > _MAX_HEARTBEAT_SECONDS:
            raise RuntimeError(f"no turn for {silent:.0f} seconds")

    def _publish(self) -> None:
        left = now() - GRACE
        waiting = self._stores.uploads.unpublished(_BATCH)
        for upload in takewhile(lambda upload: upload.submitted_at <= left, waiting):
            with working_on(upload):
                self._outbox.publish(upload)
                log.info("published late")


class BacklogMeter:
    """Sets the gauges, now and then: each time costs the store three queries and the broker two."""

    def __init__(
        self, uploads: UploadStore, broker: Broker, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._uploads = uploads
        self._broker = broker
        self._clock = clock
        self._measured_at = -math.inf

    def measure_if_due(self) -> None:
        """Measure, if that was not done just now. Raises StoreUnavailable."""
        if self._clock() - self._measured_at < _MEASURE_EVERY_SECONDS:
            return
        self._measured_at = self._clock()
        self._measure_queues()
        backlog = self._uploads.backlog()
        oldest = backlog.oldest_at
        UNFINISHED.set(backlog.uploads)
        UNFINISHED_AGE.set(0 if oldest is None else (now() - oldest).total_seconds())
        SET_ASIDE.set(self._uploads.count_set_aside())

    def _measure_queues(self) -> None:
        emails = self._depth(_EMAIL_QUEUE)
        # A broker that is away is not waited for twice.
        uploads = self._depth(_UPLOAD_QUEUE) if emails else None
        EMAILS.set(emails.waiting if emails else math.nan)
        for queue, depth in ((_EMAIL_QUEUE, emails), (_UPLOAD_QUEUE, uploads)):
            DEAD_LETTERS.labels(queue).set(depth.dead if depth else math.nan)

    def _depth(self, queue: str) -> QueueDepth | None:
        try:
            return self._broker.depth(queue)
        except BrokerUnavailable as error:
            log.warning("messages not counted", queue=queue, error=str(error))
            return None


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = read_settings(Settings, "gateway-relay")
    with worker_process("gateway-relay", settings) as worker:
        urls = settings.csv_store_url, settings.file_store_url
        stores = worker.open("CSV store", partial(open_stores, *urls))
        broker = worker.open("broker", partial(open_broker, settings.broker_url))
        relay = Relay(stores, broker, settings.sweep_after_seconds, settings.keep_files_days)
        worker.serve_health(ready={"CSV store": once(stores.check)}, alive=relay.check)
        relay.run(worker.stop)


if __name__ == "__main__":
    main()
