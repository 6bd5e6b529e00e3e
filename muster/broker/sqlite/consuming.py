"""The active consumer of one queue of the embedded broker, and those that stand by."""

import fcntl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from muster.broker import BrokerUnavailable, Delivery, Verdict
from muster.broker.sqlite.doorbell import Doorbell
from muster.broker.sqlite.queuefile import QueueFile, Taken
from muster.broker.ticker import TICK_SECONDS, Ticker
from muster.crashpoints import Point, crash_point

log = structlog.get_logger(__name__)

_STANDBY_SECONDS = 0.2


class Consumer:
    """One call of `Broker.consume`: see there for what it promises."""

    def __init__(
        self,
        queue: str,
        messages: QueueFile,
        handle: Callable[[Delivery], Verdict],
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._messages = messages
        self._handle = handle
        self._stop = stop
        self._ticker = Ticker(tick)

    def run(self, lock: Path, doorbell: Path) -> None:
        """Consume until `stop` is set: while this process holds `lock`, else stand by."""
        with ThreadPoolExecutor(1, thread_name_prefix=self._queue) as executor:
            while not self._stop.is_set():
                self._ticker.tick_if_due()
                try:
                    with _exclusive(lock) as active:
                        if active:
                            self._work(executor, doorbell)
                except BrokerUnavailable as error:
                    log.warning("broker unavailable", queue=self._queue, error=str(error))
                self._stop.wait(_STANDBY_SECONDS)

    def _work(self, executor: Executor, doorbell: Path) -> None:
        log.info("consuming", queue=self._queue)
        first = True
        with closing(Doorbell(doorbell)) as bell:
            while not self._stop.is_set():
                self._ticker.tick_if_due()
                taken = self._messages.take(self._queue)
                if taken is None:
                    bell.wait(self._messages.seconds_until_due(self._queue, TICK_SECONDS))
                else:
                    handling = executor.submit(self._handle, replace(taken.delivery, first=first))
                    first = False
                    self._settle(taken, self._ticker.await_result(handling))

    def _settle(self, taken: Taken, verdict: Verdict) -> None:
        while True:
            try:
                self._messages.settle(taken, verdict)
                crash_point(Point.SQLITE_MESSAGE_SETTLED)
                return
            except BrokerUnavailable as error:
                # Unsettled it would only be delivered again: worth waiting for, but not for ever.
                if self._stop.is_set():
                    raise
                log.warning("verdict not stored", queue=self._queue, error=str(error))
            self._ticker.tick_if_due()
            self._stop.wait(_STANDBY_SECONDS)


@contextmanager
def _exclusive(path: Path) -> Iterator[bool]:
    """Whether this consumer is the active one. The kernel ends it with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise BrokerUnavailable(str(error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
