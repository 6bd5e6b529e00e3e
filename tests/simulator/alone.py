"""The simulator's ports by themselves, in real time and safe for threads: for the contract suites.

A simulation shows something about real adapters only as far as its own keep the same contract.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from muster.broker import Broker, Delivery, Verdict
from muster.filestore import FileStore
from muster.stores import Stores
from muster.uploadstore import UploadStore
from tests.simulator.broker import Queues, SimulatedBroker
from tests.simulator.choices import Choices
from tests.simulator.scheduler import Process, Scheduler, Stop
from tests.simulator.stores import SimulatedFiles, SimulatedUploads, StoredData
from tests.simulator.world import Climate, World

T = TypeVar("T")

_LOCK = threading.RLock()
_PAUSE_SECONDS = 0.01
_TICK_SECONDS = 0.05


def simulated_stores() -> Stores:
    """An empty store, which nothing befalls."""
    world, data = _quiet_world(), StoredData()
    files, uploads = _Files(world, data, None), _Uploads(world, data, None)
    return Stores(cast(FileStore, files), cast(UploadStore, uploads))


def simulated_broker() -> Broker:
    """A broker with empty queues, which nothing befalls."""
    world = _quiet_world()
    return cast(Broker, _Broker(world, Queues(world)))


def _quiet_world() -> World:
    world = World(0, Choices(0), Climate())
    world.scheduler = _RealTime()
    return world


class _RealTime(Scheduler):
    @property
    def now(self) -> float:
        """Seconds of real time; to set it is to wait until then."""
        return time.monotonic()

    @now.setter
    def now(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))


class _OneAtATime:
    """The simulation has one thread; the contract has several, whose calls take turns here."""

    def _call(self, name: str, work: Callable[[], T]) -> T:
        with _LOCK:
            result: T = super()._call(name, work)  # type: ignore[misc]
            return result


class _Files(_OneAtATime, SimulatedFiles):
    pass


class _Uploads(_OneAtATime, SimulatedUploads):
    pass


class _Stop(Stop):
    """The Event that a consumer is given."""

    def __init__(self, scheduler: Scheduler, event: threading.Event) -> None:
        super().__init__(scheduler)
        self._event = event

    def is_set(self) -> bool:
        return self._event.is_set()


class _Broker(SimulatedBroker):
    def __init__(self, world: World, queues: Queues) -> None:
        super().__init__(world, queues, Process(world.scheduler, "publisher"))

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        with _LOCK:
            super().publish(routing_key, body, headers)

    def consume(  # type: ignore[override]
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """As a process that consumes until it is to stop, or its handler raises."""
        scheduler, errors = self._world.scheduler, list[Exception]()
        process: Any = Process(scheduler, "consumer")
        process.stop = _Stop(scheduler, stop)

        def run() -> None:
            broker = SimulatedBroker(self._world, self._queues, process)
            try:
                broker.consume_until_stopped(queue, handle)
            except Exception as error:  # noqa: BLE001 - it ends the consumer
                errors.append(error)
                process.kill()

        task = scheduler.start(run, process)
        while not task.done:
            tick()
            scheduler.run(lambda: task.done, until=scheduler.now + _TICK_SECONDS)
            time.sleep(0 if task.done else _PAUSE_SECONDS)
        for error in errors:
            raise error
