"""The sender: some endpoints at a time, each called for its deliveries one after another.

None holds up another: an endpoint has one call at a time, a user has few, and those that failed
last share half of the places, so that endpoints which hang never take them all.
"""

import threading
import time
from collections import Counter as Counted
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram

from muster.contracts.uploads import UnreadableRecord
from muster.observability.spans import span
from muster.uploadstore import UploadNotFound, UploadStore
from muster.weather import Unavailable
from notification.channels.webhook.deliveries import BATCH, Deliveries
from notification.channels.webhook.endpoints import in_utc
from notification.channels.webhook.events import (
    FINISHED,
    finished_event,
    signed_headers,
    test_event,
)
from notification.channels.webhook.queue import (
    Dead,
    Delivered,
    DeliveryQueue,
    DueEndpoint,
    Failed,
    Gone,
    Job,
    Lease,
    PutOff,
    Result,
)
from notification.channels.webhook.sealing import SecretBox, SecretLost
from notification.channels.webhook.transport import Caller, NotAllowed, NotSent

log = structlog.get_logger(__name__)

PLACES = 32
_FAILING_PLACES = PLACES // 2
_PLACES_PER_OWNER = 8
_JOBS_PER_TURN = 20
_WINDOW = 200
_IDLE_SECONDS = 0.5
_BUSY_SECONDS = 0.05
_HOUSEKEEPING_SECONDS = 15.0

OUTCOMES = ("delivered", "failed", "dead", "gone", "put_off")
DELIVERIES = Counter(
    "muster_webhooks_total", "Attempts to deliver webhooks by what became of them.", ("outcome",)
)
# From 0: a rate over a series that begins at its first event misses that event.
for _outcome in OUTCOMES:
    DELIVERIES.labels(_outcome)
GIVEN_UP = Counter("muster_webhooks_given_up_total", "Webhooks not delivered within three days.")
WAITING = Gauge("muster_waiting_webhooks", "Webhooks that wait to be delivered.")
OLDEST = Gauge("muster_webhook_age_seconds", "How long the oldest of them has waited.")
SECONDS = Histogram(
    "muster_webhook_seconds",
    "Seconds from a webhook being entered to its being delivered, by whether it failed before.",
    ("retried",),
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600, 86400, 259200),
)
_OUTCOME_OF: dict[type[Result], str] = {
    Delivered: "delivered",
    Failed: "failed",
    Dead: "dead",
    Gone: "gone",
    PutOff: "put_off",
}


@dataclass(frozen=True)
class Courier:
    """Makes and sends one delivery, and says what became of it."""

    store: UploadStore
    box: SecretBox
    caller: Caller
    public_url: str

    def deliver(self, job: Job) -> Result:
        """Send it once; raises nothing."""
        begun = time.monotonic()
        try:
            body = self._body(job)
            secrets = [self.box.open(job.endpoint_id, each) for each in job.secrets]
            headers = signed_headers(secrets, job.delivery_id, body)
            status = self.caller.post(job.url, headers, body)
        except (UploadNotFound, UnreadableRecord):
            return Dead("the upload's record can't be read any more")
        except (Unavailable, SecretLost) as error:
            log.warning("webhook put off", delivery=job.delivery_id, error=str(error))
            return PutOff()
        except NotAllowed as error:
            return Dead(str(error))
        except NotSent as error:
            return Failed(str(error), None, time.monotonic() - begun)
        except Exception:  # a bug that one delivery meets must not hold up the rest
            log.exception("a webhook failed", delivery=job.delivery_id)
            return Failed("it can't be sent: the operators see why")
        return _judged(status, time.monotonic() - begun)

    def _body(self, job: Job) -> bytes:
        if job.event == FINISHED:
            upload = self.store.get(job.upload_id or "")
            return finished_event(upload, self.store, self.public_url)
        return test_event(job.endpoint_id, in_utc(job.created_at))


class Sender:
    """Has the deliveries of `queue` sent by `courier`, until told to stop."""

    def __init__(self, queue: DeliveryQueue, deliveries: Deliveries, courier: Courier) -> None:
        self._queue = queue
        self._deliveries = deliveries
        self._courier = courier
        self._at_work: dict[str, tuple[str, bool]] = {}
        self._lock = threading.Lock()
        self._looked_at = 0.0

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Send until `stop` is set; then what is being sent is finished."""
        with ThreadPoolExecutor(PLACES, thread_name_prefix="webhook") as pool:
            while not stop.is_set():
                beat()
                try:
                    started = self._turn(pool, stop)
                    self._keep_house()
                except Unavailable as error:
                    log.warning("webhooks wait", error=str(error))
                    started = 0
                stop.wait(_BUSY_SECONDS if started else _IDLE_SECONDS)

    def _turn(self, pool: ThreadPoolExecutor, stop: threading.Event) -> int:
        """Begin with endpoints whose turn it is; returns with how many."""
        started = 0
        for failing in (False, True):
            for due in (
                self._queue.due(_WINDOW, failing=failing) if self._has_place(failing) else ()
            ):
                if not self._take_place(due, failing):
                    continue
                lease = self._queue.lease(due)
                if lease is None:
                    self._leave_place(due.id)
                    continue
                pool.submit(self._work, lease, stop)
                started += 1
        return started

    def _has_place(self, failing: bool) -> bool:
        with self._lock:
            if len(self._at_work) >= PLACES:
                return False
            at_work = sum(is_failing for _, is_failing in self._at_work.values())
            return not failing or at_work < _FAILING_PLACES

    def _take_place(self, due: DueEndpoint, failing: bool) -> bool:
        if not self._has_place(failing):
            return False
        with self._lock:
            owners = Counted(owner for owner, _ in self._at_work.values())
            if due.id in self._at_work or owners[due.owner] >= _PLACES_PER_OWNER:
                return False
            self._at_work[due.id] = (due.owner, failing)
            return True

    def _leave_place(self, endpoint_id: str) -> None:
        with self._lock:
            del self._at_work[endpoint_id]

    def _work(self, lease: Lease, stop: threading.Event) -> None:
        """A turn of one endpoint."""
        try:
            job = self._queue.next(lease)
            for _ in range(_JOBS_PER_TURN):
                if job is None or stop.is_set():
                    break
                job = self._queue.settle(lease, job, self._deliver(job))
            self._queue.release(lease)
        except Unavailable as error:
            # The lease ends by itself, and what was sent is sent again.
            log.warning("a webhook's turn broke off", error=str(error))
        except Exception:
            log.exception("a webhook's turn broke off")
        finally:
            self._leave_place(lease.endpoint_id)

    def _deliver(self, job: Job) -> Result:
        with span("send webhook", "client", {"muster.upload_id": job.upload_id or ""}):
            result = self._courier.deliver(job)
        DELIVERIES.labels(_OUTCOME_OF[type(result)]).inc()
        if isinstance(result, Delivered):
            waited = time.time() - job.created_at / 1000
            SECONDS.labels("yes" if job.attempts else "no").observe(max(0.0, waited))
        log.info(
            "webhook",
            delivery=job.delivery_id,
            webhook=job.endpoint_id,
            upload_id=job.upload_id,
            outcome=_OUTCOME_OF[type(result)],
            attempt=job.attempts + 1,
            reason=getattr(result, "reason", None),
        )
        return result

    def _keep_house(self) -> None:
        """Now and then: give up what is overdue, forget what is old, and measure what waits."""
        if time.monotonic() - self._looked_at < _HOUSEKEEPING_SECONDS:
            return
        given_up = self._deliveries.give_up()
        GIVEN_UP.inc(given_up)
        if given_up < BATCH and self._deliveries.forget() < BATCH:
            self._looked_at = time.monotonic()
        backlog = self._deliveries.backlog()
        WAITING.set(backlog.waiting)
        age = 0.0 if backlog.oldest_at is None else time.time() - backlog.oldest_at / 1000
        OLDEST.set(max(0.0, age))


def _judged(status: int, seconds: float) -> Result:
    if 200 <= status < 300:
        return Delivered(status)
    if status == 410:
        return Gone(status)
    if 300 <= status < 400:
        return Failed(f"it answered {status}: a redirect is not followed", status, seconds)
    return Failed(f"it answered {status}", status, seconds)
