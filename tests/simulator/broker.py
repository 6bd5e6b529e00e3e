"""The broker in memory: queues, confirms, redelivery, dead letters, one active consumer each."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from muster.broker import (
    BINDINGS,
    DELIVERY_LIMIT,
    Ack,
    BrokerUnavailable,
    DeadLetter,
    Delivery,
    Publication,
    QueueDepth,
    Retry,
    Unroutable,
    Verdict,
)
from tests.faults.ports import ANSWER
from tests.simulator.scheduler import Process, Task
from tests.simulator.world import World

TOO_OFTEN = "delivered too often"
"""Why a message is a dead letter that its consumers never answered."""
_STANDBY_SECONDS = 1.0


def _gone() -> BrokerUnavailable:
    return BrokerUnavailable("gone")


@dataclass
class Message:
    """One in a queue; `due` is when it may be delivered."""

    delivery: Delivery
    due: float = 0.0
    deliveries: int = 0
    attempts: int = 0


@dataclass
class Session:
    """A consumer's subscription. Once it is over, its message is another's."""

    process: Process
    task: Task
    over: bool = False
    first: bool = True
    unsettled: Message | None = None


@dataclass
class Queue:
    """Messages, oldest first, dead letters, and who consumes: the first is the active one."""

    messages: list[Message] = field(default_factory=list)
    dead: list[tuple[Delivery, str]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)


class Queues:
    """What the broker keeps."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.queues: dict[str, Queue] = defaultdict(Queue)

    def append(self, queue: str, delivery: Delivery) -> None:
        """Keep a message at the end of the queue."""
        self.queues[queue].messages.append(Message(delivery))
        self._ring(queue)

    def subscribe(self, queue: str, process: Process, task: Task) -> Session:
        """Consume, or stand by."""
        session = Session(process, task)
        self.queues[queue].sessions.append(session)
        process.on_end.append(lambda: self.end(queue, session))
        return session

    def end(self, queue: str, session: Session) -> None:
        """The consumer is gone, or thought to be: its message goes back to its place."""
        session.over = True
        if session.unsettled is None:
            session.task.wake()
        session.unsettled = None
        sessions = self.queues[queue].sessions
        if session in sessions:
            sessions.remove(session)
        self._ring(queue)

    def expel(self, process: Process) -> None:
        """Have the broker hear nothing of the process any more; it will subscribe again."""
        for name, queue in self.queues.items():
            for session in [each for each in queue.sessions if each.process is process]:
                self.end(name, session)

    def is_thought_dead(self, process: Process) -> bool:
        """Whether the process, a consumer, is none for the broker."""
        sessions = [session for queue in self.queues.values() for session in queue.sessions]
        return all(session.process is not process for session in sessions)

    def take(self, queue: str, session: Session) -> Delivery | None:
        """The next message for the active consumer, if one is due."""
        kept = self.queues[queue]
        if session.over or kept.sessions[:1] != [session]:
            return None
        for message in kept.messages:
            if message.due > self._world.now:
                continue
            if message.deliveries >= DELIVERY_LIMIT:
                kept.messages.remove(message)
                kept.dead.append((message.delivery, TOO_OFTEN))
                return self.take(queue, session)
            message.deliveries += 1
            session.unsettled = message
            first, session.first = session.first, False
            attempt = message.attempts + message.deliveries
            return replace(message.delivery, attempt=attempt, first=first)
        return None

    def settle(self, queue: str, session: Session, verdict: Verdict) -> None:
        """Do with its message what the handler said, unless it is another's by now."""
        message, session.unsettled = session.unsettled, None
        kept = self.queues[queue]
        if message is None or message not in kept.messages:
            return
        match verdict:
            case Ack():
                kept.messages.remove(message)
            case DeadLetter(reason):
                kept.messages.remove(message)
                kept.dead.append((message.delivery, reason))
            case Retry(after) if after > 0:
                message.due = self._world.now + after
                message.attempts += message.deliveries
                message.deliveries = 0
                kept.messages.remove(message)
                kept.messages.append(message)
            case Retry():
                message.deliveries -= 1

    def next_due(self, queue: str) -> float:
        """When a message of the queue may be delivered."""
        return min((message.due for message in self.queues[queue].messages), default=1e9)

    def _ring(self, queue: str) -> None:
        for session in self.queues[queue].sessions[:1]:
            if session.unsettled is None:
                session.task.wake()


class SimulatedBroker:
    """The port, as one process has it."""

    def __init__(self, world: World, queues: Queues, process: Process) -> None:
        self._world = world
        self._queues = queues
        self._process = process

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is queued."""
        queue = BINDINGS.get(routing_key)
        if queue is None:
            raise Unroutable(routing_key)
        fault = self._world.meet(self._process, "broker.publish", _gone)
        for _ in range(2 if fault == "duplicate" else 1):
            self._queues.append(queue, Delivery(routing_key, body, dict(headers)))
        self._world.meet(self._process, "broker.publish" + ANSWER, _gone)

    def publish_each(self, publications: Sequence[Publication]) -> None:
        """Return once all of the messages are queued."""
        for publication in publications:
            self.publish(*publication)

    def consume_until_stopped(self, queue: str, handle: Callable[[Delivery], Verdict]) -> None:
        """Hand over the messages of the queue one at a time until the process is to stop."""
        scheduler, stop = self._world.scheduler, self._process.stop
        task = scheduler.current
        if task is None:
            raise RuntimeError("only a task consumes")
        session = self._queues.subscribe(queue, self._process, task)
        while not stop.is_set():
            if self._process.failed is not None:
                raise self._process.failed
            if session.over:
                scheduler.sleep(_STANDBY_SECONDS)
                session = self._queues.subscribe(queue, self._process, task)
            delivery = self._queues.take(queue, session)
            if delivery is None:
                # A standby wakes when it becomes the active one.
                stop.wait(max(0.0, self._queues.next_due(queue) - self._world.now) or 60.0)
                continue
            verdict = handle(delivery)
            self._settle(queue, session, verdict)
        self._queues.end(queue, session)

    def _settle(self, queue: str, session: Session, verdict: Verdict) -> None:
        fault = self._world.meet(self._process, "broker.settle")
        if fault == "weather":
            # The verdict is lost with the connection: the message is delivered again.
            self._queues.end(queue, session)
        self._queues.settle(queue, session, verdict)
        self._world.meet(self._process, "broker.settle" + ANSWER)

    def depth(self, queue: str) -> QueueDepth:
        """How many messages the queue holds."""
        self._world.meet(self._process, "broker.depth", _gone)
        kept = self._queues.queues[queue]
        return QueueDepth(len(kept.messages), len(kept.dead))

    def check(self) -> None:
        """Whether it answers."""
        self._world.meet(self._process, "broker.check", _gone)

    def close(self) -> None:
        """Nothing to give up."""

    def consume(self, *_arguments: object, **_options: object) -> NoReturn:
        """Not in a simulation: threads would serve the connection."""
        raise NotImplementedError

    dead_letters = replay_dead_letters = consume
