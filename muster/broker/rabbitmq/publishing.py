"""Publishing with confirms, from any thread of the process, over one connection."""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime

from muster.broker import BrokerUnavailable, Unroutable
from muster.broker.rabbitmq.connecting import translated
from muster.broker.rabbitmq.envelope import Outgoing
from muster.broker.rabbitmq.server import RabbitServer
from muster.broker.rabbitmq.session import Session
from muster.broker.rabbitmq.topology import Topology


class Publisher:
    """Publishes from any thread. It connects when there is something to publish, and again then."""

    def __init__(self, server: RabbitServer, topology: Topology) -> None:
        self._server = server
        self._topology = topology
        self._lock = threading.Lock()
        self._session: Session | None = None

    def publish(self, message: Outgoing) -> None:
        """Return once the message is confirmed: the majority of its queue's nodes has it on disk.

        Raises Unroutable, or BrokerUnavailable within the deadline.
        """
        session = self._connected()
        try:
            self._await(session.publish(message))
        except Unroutable:
            # Another session begins by declaring what somebody may have deleted.
            self._leave(session)
            raise

    def check(self) -> None:
        """Return if the broker answers and takes messages; raises BrokerUnavailable."""
        self._await(self._connected().look_up())

    def close(self) -> None:
        """End the connection, if there is one."""
        with self._lock:
            if self._session is not None:
                self._session.close()

    def _connected(self) -> Session:
        with self._lock:
            if self._session is None or self._session.is_over:
                # It opens files before it connects, of which there may be too many.
                with translated(self._server):
                    self._session = Session(self._server, self._topology)
            return self._session

    def _leave(self, session: Session) -> None:
        with self._lock:
            if self._session is session:
                self._session = None
        session.end()

    def _await(self, done: "Future[None]") -> None:
        seconds = self._server.options.deadline_seconds
        try:
            done.result(seconds)
        except NotInTime as error:
            # What was not sent yet never is.
            done.cancel()
            raise BrokerUnavailable(f"{self._server}: no answer in {seconds:g} seconds") from error
