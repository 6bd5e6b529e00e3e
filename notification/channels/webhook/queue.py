"""The queue of deliveries, for those who send them: whose turn it is, and what became of each.

An endpoint is leased, so that it is called once at a time, by whichever process. A lease that is
not given back, as its process was killed, ends by itself; what it was for is sent again then, by
the same id. After a failure an endpoint rests, longer each time: its deliveries cost one attempt a
rest, however many wait.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Update, and_, func, select, update

from muster.database import Database
from muster.worker.retry import RetryPolicy
from notification.channels.webhook.deliveries import LONGEST_REASON
from notification.channels.webhook.endpoints import Clock, bury_waiting, milliseconds, now_ms
from notification.channels.webhook.schema import deliveries, endpoints

LEASE = timedelta(seconds=60)
RETRIES = RetryPolicy(timedelta(seconds=5), longest=timedelta(hours=1))
"""Of one delivery."""
RESTS = RetryPolicy(timedelta(seconds=1), longest=timedelta(minutes=5))
"""Of an endpoint, by its failures since its last success."""
PUT_OFF = timedelta(seconds=5)
_REST_PER_ATTEMPT = 4
"""An endpoint rests at least so many times as long as it kept its caller waiting."""
_JITTER = 0.25


@dataclass(frozen=True)
class DueEndpoint:
    """An endpoint whose turn it is."""

    id: str
    owner: str


@dataclass(frozen=True)
class Lease:
    """The right to call an endpoint, until it is over."""

    endpoint_id: str
    owner: str
    token: str


@dataclass(frozen=True)
class Job:
    """A delivery to be sent now. `secrets` are sealed; it signs by each of them."""

    delivery_id: str
    endpoint_id: str
    event: str
    upload_id: str | None
    created_at: int
    attempts: int
    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Delivered:
    """The endpoint took it."""

    status: int


@dataclass(frozen=True)
class Failed:
    """It may be taken later. The endpoint kept its caller waiting for so many `seconds`."""

    reason: str
    status: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Dead:
    """It will never be taken."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The endpoint wants nothing any more."""

    status: int


@dataclass(frozen=True)
class PutOff:
    """It could not be tried, for a reason of our own."""


Result = Delivered | Failed | Dead | Gone | PutOff


class DeliveryQueue:
    """The deliveries in `database` that wait. Each call may raise DatabaseUnavailable."""

    def __init__(
        self,
        database: Database,
        clock: Clock = now_ms,
        retries: RetryPolicy = RETRIES,
        rests: RetryPolicy = RESTS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._retries = retries
        self._rests = rests

    def due(self, limit: int, *, failing: bool) -> Sequence[DueEndpoint]:
        """Endpoints whose turn it is, longest due first: those that failed last, or the others."""
        now = self._clock()
        failed = endpoints.c.failures > 0 if failing else endpoints.c.failures == 0
        query = (
            select(endpoints.c.id, endpoints.c.owner)
            .where(endpoints.c.next_at <= now, endpoints.c.busy_until <= now, failed)
            .order_by(endpoints.c.next_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [DueEndpoint(*row) for row in connection.execute(query)]

    def lease(self, due: DueEndpoint) -> Lease | None:
        """The right to call the endpoint; None if it is no longer its turn."""
        now, token = self._clock(), uuid.uuid4().hex
        with self._database.write() as connection:
            row = _lock(connection, due.id)
            if row is None or row.next_at is None or max(row.next_at, row.busy_until) > now:
                return None
            connection.execute(self._extended(due.id, now, token))
        return Lease(due.id, due.owner, token)

    def next(self, lease: Lease) -> Job | None:
        """What is due at the endpoint; None if nothing is, or the lease is over."""
        with self._database.write() as connection:
            row = self._hold(connection, lease)
            return None if row is None else self._job(connection, row)

    def settle(self, lease: Lease, job: Job, result: Result) -> Job | None:
        """Enter what became of the job. Returns the next, if the endpoint may be called again."""
        with self._database.write() as connection:
            row = self._hold(connection, lease)
            if row is None:
                return None
            self._enter(connection, job, result)
            match result:
                case Delivered():
                    connection.execute(
                        _of(row.id).values(failures=0, failing_since=None, reason=None)
                    )
                case Failed():
                    self._rest(connection, row, result)
                    return None
                case Gone():
                    _disable(connection, row.id, result)
                    return None
                case PutOff():
                    later = self._clock() + milliseconds(PUT_OFF)
                    connection.execute(_of(row.id).values(next_at=later, busy_until=0))
                    return None
            return self._job(connection, row)

    def release(self, lease: Lease) -> None:
        """Give the lease back: the endpoint's next turn is when its next delivery is due."""
        with self._database.write() as connection:
            if self._hold(connection, lease) is not None:
                due_at = _first_due(connection, lease.endpoint_id)
                change = _of(lease.endpoint_id)
                connection.execute(change.values(next_at=due_at, busy_until=0, busy_by=None))

    def _hold(self, connection: Connection, lease: Lease) -> Row[Any] | None:
        """The endpoint, locked and leased for longer; None if the lease is over."""
        row = _lock(connection, lease.endpoint_id)
        if row is None or row.busy_by != lease.token or row.busy_until == 0:
            return None
        connection.execute(self._extended(row.id, self._clock(), lease.token))
        return row

    def _extended(self, endpoint_id: str, now: int, token: str) -> Update:
        until = now + milliseconds(LEASE)
        return _of(endpoint_id).values(busy_until=until, busy_by=token)

    def _job(self, connection: Connection, row: Row[Any]) -> Job | None:
        now = self._clock()
        due = and_(_waits_for(row.id), deliveries.c.next_at <= now)
        query = select(deliveries).where(due).order_by(deliveries.c.next_at).limit(1)
        found = connection.execute(query).first()
        if found is None:
            return None
        return Job(
            found.id,
            row.id,
            found.event,
            found.upload_id,
            found.created_at,
            found.attempts,
            row.url,
            _secrets(row, now),
        )

    def _enter(self, connection: Connection, job: Job, result: Result) -> None:
        now = self._clock()
        values: dict[str, Any] = {"attempts": job.attempts + 1, "last_at": now}
        match result:
            case Delivered():
                values |= {"state": "delivered", "status": result.status, "reason": None}
                values["next_at"] = None
            case Failed():
                wait = _jittered(self._retries.wait_after(job.attempts + 1))
                values |= {"status": result.status, "reason": result.reason[:LONGEST_REASON]}
                values["next_at"] = now + wait
            case Dead():
                values |= {"state": "dead", "status": None, "next_at": None}
                values["reason"] = result.reason[:LONGEST_REASON]
            case Gone():
                values |= {"state": "dead", "status": result.status, "next_at": None}
                values["reason"] = _GONE
            case PutOff():
                return
        mine = and_(deliveries.c.id == job.delivery_id, deliveries.c.state == "waiting")
        connection.execute(update(deliveries).where(mine).values(values))

    def _rest(self, connection: Connection, row: Row[Any], result: Failed) -> None:
        now, failures = self._clock(), row.failures + 1
        at_least = timedelta(seconds=_REST_PER_ATTEMPT * result.seconds)
        rested = now + _jittered(max(self._rests.wait_after(failures), at_least))
        due_at = _first_due(connection, row.id)
        connection.execute(
            _of(row.id).values(
                failures=failures,
                failing_since=row.failing_since or now,
                reason=result.reason[:LONGEST_REASON],
                next_at=None if due_at is None else max(due_at, rested),
                busy_until=0,
                busy_by=None,
            )
        )


_GONE = "the endpoint answered 410 Gone"


def _disable(connection: Connection, endpoint_id: str, _gone: Gone) -> None:
    bury_waiting(connection, endpoint_id, _GONE)
    connection.execute(
        _of(endpoint_id).values(
            disabled=True, reason=_GONE, next_at=None, busy_until=0, busy_by=None
        )
    )


def _of(endpoint_id: str) -> Update:
    return update(endpoints).where(endpoints.c.id == endpoint_id)


def _lock(connection: Connection, endpoint_id: str) -> Row[Any] | None:
    query = select(endpoints).where(endpoints.c.id == endpoint_id).with_for_update()
    return connection.execute(query).first()


def _waits_for(endpoint_id: str) -> Any:
    return and_(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state == "waiting")


def _first_due(connection: Connection, endpoint_id: str) -> int | None:
    query = select(func.min(deliveries.c.next_at)).where(_waits_for(endpoint_id))
    return connection.execute(query).scalar()


def _secrets(row: Row[Any], now: int) -> tuple[str, ...]:
    """Those that are valid now, the newest first."""
    if row.former_secret is None or row.former_until is None or row.former_until <= now:
        return (row.secret,)
    return (row.secret, row.former_secret)


def _jittered(wait: timedelta) -> int:
    """The wait in milliseconds, up to a quarter less or more: not all come at once."""
    share = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - no secret
    return int(milliseconds(wait) * share)
