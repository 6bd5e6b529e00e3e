"""What auth does beside its requests, in a thread of the server's: sending and expiring."""

import threading
import time
from collections.abc import Callable

import structlog

from auth.audit import AuditLog
from auth.outbox import EmailOutbox
from muster.weather import Unavailable

log = structlog.get_logger(__name__)

_INTERVAL_SECONDS = 1.0
_EXPIRE_EVERY_SECONDS = 600.0


class Chores:
    """Takes turns: each second the outbox, every ten minutes the audit log."""

    def __init__(
        self, outbox: EmailOutbox, audit: AuditLog, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._expire_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Take turns until `stop` is set, whatever is away."""
        while not stop.wait(_INTERVAL_SECONDS):
            try:
                self._turn()
            except Unavailable as error:
                log.warning("chores will be tried again", error=repr(error))
            except Exception:
                log.exception("a chore failed")

    def _turn(self) -> None:
        self._outbox.turn()
        if self._clock() >= self._expire_at:
            self._expire_at = self._clock() + _EXPIRE_EVERY_SECONDS
            self._audit.expire()
