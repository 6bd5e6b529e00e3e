"""Deliveries: entered for each endpoint of an uploader, listed, replayed, and forgotten in time."""

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from muster.database import Database
from muster.http.rate_limits import RateLimit, announce
from notification.channels.webhook.endpoints import Clock, as_text, find, milliseconds, now_ms
from notification.channels.webhook.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    StillWaiting,
    TooManyTests,
    UnknownCursor,
)
from notification.channels.webhook.events import FINISHED, TEST
from notification.channels.webhook.schema import deliveries, endpoints

KEPT = timedelta(days=30)
GIVEN_UP_AFTER = timedelta(days=3)
MOST_BY_HAND = 10
"""How many tests and replays of an endpoint may begin in a minute."""
BATCH = 500
LONGEST_REASON = 400

_MINUTE_MS = 60_000
_CURSOR = re.compile(r"([0-9]{1,15})-(msg_[0-9a-f]{32})")


@dataclass(frozen=True)
class Delivery:
    """A delivery as its endpoint's owner sees it: `waiting`, `delivered` or `dead`.

    `status` and `reason` are of the last of its `attempts`.
    """

    id: str
    event: str
    upload: str | None
    created_at: int
    state: str
    attempts: int
    last_at: int | None
    status: int | None
    reason: str | None
    next_at: int | None

    def to_json(self) -> dict[str, Any]:
        """The delivery as the API shows it."""
        return {
            "id": self.id,
            "event": self.event,
            "upload": self.upload,
            "created_at": as_text(self.created_at),
            "state": self.state,
            "attempts": self.attempts,
            "last_attempt_at": as_text(self.last_at),
            "last_status": self.status,
            "reason": self.reason,
            "next_attempt_at": as_text(self.next_at),
        }


class DeliveryPage(NamedTuple):
    """Deliveries, newest first, and the cursor of the next page, if there is one."""

    deliveries: Sequence[Delivery]
    next: str | None


class Backlog(NamedTuple):
    """How many deliveries wait, and since when the oldest does, in milliseconds since 1970."""

    waiting: int
    oldest_at: int | None


class Deliveries:
    """The deliveries in `database`. Each call may raise DatabaseUnavailable."""

    def __init__(self, database: Database, clock: Clock = now_ms) -> None:
        self._database = database
        self._clock = clock

    def enter_finished(self, owner: str, *upload_ids: str) -> int:
        """Enter deliveries for each endpoint of the uploader, once; returns how many are new.

        Their ids follow from endpoint and upload: a message that comes again enters none twice.
        """
        with self._database.read() as connection:
            mine = and_(endpoints.c.owner == owner, endpoints.c.disabled.is_(False))
            called = list(connection.scalars(select(endpoints.c.id).where(mine)))
        return self._enter(called, upload_ids) if called else 0

    def _enter(self, called: Sequence[str], upload_ids: Sequence[str]) -> int:
        ids = {_id_of(*each): each for each in product(called, upload_ids)}
        with self._database.write() as connection:
            known = select(deliveries.c.id).where(deliveries.c.id.in_(ids))
            new = ids.keys() - set(connection.scalars(known))
            there = select(endpoints.c.id).where(endpoints.c.id.in_({ids[each][0] for each in new}))
            # Locked, so that none is removed before its deliveries are there.
            left = set(connection.scalars(there.order_by(endpoints.c.id).with_for_update()))
            now = self._clock()
            rows = [
                _row(each, endpoint, FINISHED, upload_id, now)
                for each, (endpoint, upload_id) in ids.items()
                if each in new and endpoint in left
            ]
            if rows:
                connection.execute(insert(deliveries), rows)
            for endpoint in sorted({row["endpoint_id"] for row in rows}):
                _wake(connection, endpoint, now)
        return len(rows)

    def test(self, owner: str, endpoint_id: str) -> Delivery:
        """Enter a delivery of the event `webhook.test`.

        Raises EndpointNotFound, EndpointDisabled and TooManyTests.
        """
        now, delivery_id = self._clock(), f"msg_{uuid.uuid4().hex}"
        with self._database.write() as connection:
            self._begin_by_hand(connection, owner, endpoint_id, now)
            row = _row(delivery_id, endpoint_id, TEST, None, now)
            connection.execute(insert(deliveries).values(row))
            _wake(connection, endpoint_id, now)
            return _delivery_of(_find(connection, endpoint_id, delivery_id))

    def replay(self, owner: str, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again, by the same id, with another three days to be tried in.

        Raises EndpointNotFound, DeliveryNotFound, EndpointDisabled, StillWaiting and TooManyTests.
        """
        now = self._clock()
        with self._database.write() as connection:
            find(connection, owner, endpoint_id, lock=True)
            row = _find(connection, endpoint_id, delivery_id, lock=True)
            if row.state == "waiting":
                raise StillWaiting
            self._begin_by_hand(connection, owner, endpoint_id, now)
            again = update(deliveries).where(deliveries.c.id == delivery_id)
            connection.execute(again.values(state="waiting", begun_at=now, next_at=now, attempts=0))
            _wake(connection, endpoint_id, now)
            return _delivery_of(_find(connection, endpoint_id, delivery_id))

    @staticmethod
    def _begin_by_hand(connection: Connection, owner: str, endpoint_id: str, now: int) -> None:
        """Lock the endpoint, if a test or a replay of it may begin."""
        if find(connection, owner, endpoint_id, lock=True).disabled:
            raise EndpointDisabled
        by_hand = (deliveries.c.event == TEST) | (deliveries.c.begun_at > deliveries.c.created_at)
        recent = and_(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.begun_at > now - _MINUTE_MS,
            by_hand,
        )
        query = select(func.count(), func.min(deliveries.c.begun_at)).where(recent)
        count, oldest = connection.execute(query).one()
        seconds = 1 + ((now if oldest is None else oldest) + _MINUTE_MS - now) // 1000
        left = MOST_BY_HAND - count - 1
        announce(RateLimit("webhook-tests", MOST_BY_HAND, left, _MINUTE_MS // 1000, seconds))
        if left < 0:
            raise TooManyTests(MOST_BY_HAND, seconds)

    def list(self, owner: str, endpoint_id: str, cursor: str | None, limit: int) -> DeliveryPage:
        """The deliveries to an endpoint. Raises EndpointNotFound and UnknownCursor."""
        mine = deliveries.c.endpoint_id == endpoint_id
        query = select(deliveries).where(mine if cursor is None else mine & _before(cursor))
        query = query.order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
        with self._database.read() as connection:
            find(connection, owner, endpoint_id)
            rows = connection.execute(query.limit(limit + 1)).all()
        found = [_delivery_of(row) for row in rows[:limit]]
        more = len(rows) > limit
        return DeliveryPage(found, f"{found[-1].created_at}-{found[-1].id}" if more else None)

    def give_up(self) -> int:
        """Have a batch of those that waited for three days be dead; returns how many they were."""
        ended = self._clock() - milliseconds(GIVEN_UP_AFTER)
        overdue = and_(deliveries.c.state == "waiting", deliveries.c.begun_at <= ended)
        query = (
            select(deliveries.c.id, deliveries.c.reason, endpoints.c.reason.label("failure"))
            .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
            .where(overdue)
            .order_by(deliveries.c.begun_at)
            .limit(BATCH)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        with self._database.write() as connection:
            for row in rows:
                last = row.reason or row.failure or "it was never its turn"
                reason = f"not delivered within three days; last: {last}"[:LONGEST_REASON]
                change = update(deliveries).where((deliveries.c.id == row.id) & overdue)
                connection.execute(change.values(state="dead", next_at=None, reason=reason))
        return len(rows)

    def forget(self) -> int:
        """Remove a batch of those that ended and are older than 30 days; returns how many."""
        old = and_(
            deliveries.c.created_at < self._clock() - milliseconds(KEPT),
            deliveries.c.state != "waiting",
        )
        query = select(deliveries.c.id).where(old).order_by(deliveries.c.created_at).limit(BATCH)
        with self._database.write() as connection:
            ids = list(connection.scalars(query))
            if ids:
                connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
        return len(ids)

    def backlog(self) -> Backlog:
        """What waits."""
        waiting = deliveries.c.state == "waiting"
        query = select(func.count(), func.min(deliveries.c.begun_at)).where(waiting)
        with self._database.read() as connection:
            count, oldest = connection.execute(query).one()
        return Backlog(count, oldest)


def _id_of(endpoint_id: str, upload_id: str) -> str:
    named = f"{FINISHED} {endpoint_id} {upload_id}"
    return f"msg_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def _row(
    delivery_id: str, endpoint_id: str, event: str, upload_id: str | None, now: int
) -> dict[str, Any]:
    return {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "event": event,
        "upload_id": upload_id,
        "created_at": now,
        "begun_at": now,
        "state": "waiting",
        "attempts": 0,
        "next_at": now,
    }


def _wake(connection: Connection, endpoint_id: str, now: int) -> None:
    """Have the endpoint looked at, unless it rests: then it is when it has rested."""
    idle = and_(endpoints.c.id == endpoint_id, endpoints.c.next_at.is_(None))
    connection.execute(update(endpoints).where(idle).values(next_at=now))
    awake = and_(
        endpoints.c.id == endpoint_id, endpoints.c.failures == 0, endpoints.c.next_at > now
    )
    connection.execute(update(endpoints).where(awake).values(next_at=now))


def _find(
    connection: Connection, endpoint_id: str, delivery_id: str, *, lock: bool = False
) -> Row[Any]:
    mine = (deliveries.c.id == delivery_id) & (deliveries.c.endpoint_id == endpoint_id)
    query = select(deliveries).where(mine)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise DeliveryNotFound
    return row


def _before(cursor: str) -> Any:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise UnknownCursor
    at, delivery_id = int(found[1]), found[2]
    created = deliveries.c.created_at
    return or_(created < at, and_(created == at, deliveries.c.id < delivery_id))


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.event,
        row.upload_id,
        row.created_at,
        row.state,
        row.attempts,
        row.last_at,
        row.status,
        row.reason,
        row.next_at,
    )
