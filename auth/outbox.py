"""The outbox of emails: has notification send what was asked for, however often auth dies.

A link and its message are one row: what was asked for is published, or will be: beside the
requests, so that an answer takes as long whether an email follows or not.
"""

import time
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from auth.links import LINK_SECONDS
from auth.repository import UserStore
from auth.users import Link, timestamp
from muster.broker import Broker
from muster.contracts.messages import EmailRequested
from muster.observability.tracing import Trace, tracing

log = structlog.get_logger(__name__)

OUTBOX_AGE = Gauge(
    "muster_email_outbox_age_seconds", "Age of the oldest email that notification is not told of."
)
_CLAIM_SECONDS = 60
"""Longer than publishing takes; after it, what died meanwhile is published by another process."""
_FORGET_EVERY_SECONDS = 60.0


class EmailOutbox:
    """Publishes `email.requested`. A message may go out twice: then the email does, too."""

    def __init__(
        self, store: UserStore, broker: Broker, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._forgot_at = 0.0

    def turn(self) -> None:
        """Publish what waits, oldest first; remove links that are over. Raises Unavailable."""
        now = int(self._clock())
        with self._store.reading() as users:
            waiting = users.links.unpublished()
        OUTBOX_AGE.set(max(0, now - waiting[0].requested_at) if waiting else 0)
        for link in waiting:
            with tracing(Trace(link.request_id, link.traceparent)):
                self._settle(link, now)
        if now - self._forgot_at >= _FORGET_EVERY_SECONDS:
            self._forgot_at = now
            with self._store.writing() as users:
                users.links.forget(now - LINK_SECONDS)

    def _settle(self, link: Link, now: int) -> None:
        if link.user_id is None:
            with self._store.writing() as users:
                users.links.delete(link.id)
            return
        with self._store.writing() as users:
            is_ours = users.links.claim(link.id, now, now + _CLAIM_SECONDS)
        if not is_ours:
            return
        message = EmailRequested(link.id, timestamp(link.requested_at))
        headers = Trace(link.request_id, link.traceparent).headers()
        self._broker.publish(message.routing_key, message.to_body(), headers)
        with self._store.writing() as users:
            users.links.mark_published(link.id)
        log.info("email requested", link_id=link.id)
