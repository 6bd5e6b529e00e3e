"""The five services' rules, wired to ports in memory; who starts a process again when it ended.

Real are: the gateway's acceptance, idempotency, outbox and records, the relay's turn, the loader's
consumer with all that it does to an upload, the notification's handler. HTTP is left out: a request
is a call, which a gateway that dies leaves without an answer.
"""

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dbuploader.batches.idempotency import AnswerSweep
from dbuploader.consumer import UploadConsumer
from dbuploader.journal.expiry import ChangeExpiry
from dbuploader.journal.receipts import ReceiptSigner
from dbuploader.journal.size import SizeMeter
from dbuploader.scratch import Scratch
from dbuploader.settings import LoadLimits
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from gateway.relay import Relay
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.admission import Admission
from gateway.uploads.kept_file import MOST_IN_RECORD
from gateway.uploads.outbox import Outbox
from gateway.uploads.request_body import RequestBody
from gateway.uploads.undo import Undos
from muster.backends.signing_key import SigningKey
from muster.broker import Broker
from muster.contracts.emails import EmailChoice
from muster.contracts.uploads import Upload
from muster.stores import Stores
from muster.weather import Unavailable
from muster.worker.heartbeat import Heartbeat
from muster.worker.shutdown import Stopped
from notification.channels.email.account import AccountEmailSender
from notification.channels.email.channel import EmailChannel
from notification.channels.email.mailer import Mailer
from notification.consumer import Handler
from notification.digests import Digests
from notification.notifier import AccountEmails, Notifier
from tests.simulator.broker import Queues, SimulatedBroker
from tests.simulator.database import Server, SimulatedDatabase
from tests.simulator.mail import Mailbox, SimulatedMailer
from tests.simulator.scheduler import Killed, Process, Task
from tests.simulator.stores import StoredData, simulated_stores
from tests.simulator.workload import Plan
from tests.simulator.world import World

T = TypeVar("T")

_RESTART_SECONDS = 1.0
_TURN_SECONDS = 3.0
# The same in each run: what is written does not depend on it.
_SIGNER = ReceiptSigner(SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32))))
_LIMITS = LoadLimits(reject_bytes=1024 * 1024, seconds=36_000, uploads=64)
_SWEEP_SECONDS = 86_400.0
_FILE_BYTES = 1024 * 1024
_UNDO_DAYS = 30


def _call_nobody(_uploads: Sequence[Upload]) -> None:
    """Nobody has webhooks here."""


class EachEmail:
    """Everybody wants each email by itself."""

    def of(self, _owner: str) -> EmailChoice:
        return "each"


class NoAnswer(Exception):
    """The gateway died, or is not there, before it answered."""


@dataclass
class Gateway:
    """What a request can call."""

    uploads: Uploads
    records: UploadAccess
    undos: Undos


def body_of(content: bytes) -> RequestBody:
    """A request's, as CSV."""
    return RequestBody(io.BytesIO(content), "text/csv", {}, "identity", len(content), _FILE_BYTES)


@dataclass
class System:
    """All processes, and what they leave behind."""

    world: World
    server: Server
    scratch: Scratch
    plan: Plan
    data: StoredData = field(default_factory=StoredData)
    mailbox: Mailbox = field(default_factory=Mailbox)

    def __post_init__(self) -> None:
        self.queues = Queues(self.world)
        self.world.on_expel = self.queues.expel
        self._gateway: tuple[Process, Gateway] | None = None

    def start(self) -> None:
        """Start every process."""
        self._supervise("gateway", self._serve)
        self._supervise("relay", self._relay)
        for number in range(self.plan.loaders):
            self._supervise(f"loader-{number}", self._load)
        self._supervise("notifier", self._notify)

    def request(self, call: Callable[[Gateway], T]) -> T:
        """What the gateway answers to the task that asks; raises NoAnswer, and its refusals."""
        if self._gateway is None or not self._gateway[0].alive:
            raise NoAnswer
        process, gateway = self._gateway
        client = cast(Task, self.world.scheduler.current)
        answers: list[Callable[[], T]] = []

        def answer() -> None:
            try:
                result = call(gateway)
                answers.append(lambda: result)
            except Killed:
                raise
            except Exception as error:  # noqa: BLE001 - the client's to see
                answers.append(_raising(error))
            finally:
                client.wake()

        process.on_end.append(client.wake)
        request = self.world.scheduler.start(answer, process)
        while not answers:
            self.world.scheduler.sleep(1e9)
            if request.done and not answers:
                raise NoAnswer
        return answers[0]()

    def is_at_rest(self) -> bool:
        """Whether nothing is left to do: all is final, announced and told, and no message waits."""
        return all(
            upload.state.is_final
            and upload.published
            and upload.announced
            and upload.email is not None
            and upload.email.is_settled
            for upload in self.data.uploads.values()
        ) and not any(queue.messages for queue in self.queues.queues.values())

    def _supervise(self, name: str, main: Callable[[Process], None]) -> None:
        scheduler = self.world.scheduler
        process = Process(scheduler, name)

        def restart() -> None:
            scheduler.start(lambda: self._supervise(name, main), at=self.world.now + 1.0)

        def run() -> None:
            try:
                main(process)
            except Killed:
                raise
            except Exception as error:  # noqa: BLE001 - it ends the process, and is told of
                self.world.note(f"{name} ended: {error!r}")
            # What it was doing besides ends with it.
            if process.alive:
                process.kill()

        process.on_end.append(restart)
        scheduler.start(run, process)

    def _stores(self, process: Process) -> Stores:
        return simulated_stores(self.world, self.data, process)

    def _serve(self, process: Process) -> None:
        store = self._stores(process)
        broker = cast(Broker, SimulatedBroker(self.world, self.queues, process))
        admission = Admission(store.uploads, uploads_per_user=0, max_queued_seconds=0)
        most = MOST_IN_RECORD if self.plan.in_record else -1
        uploads = Uploads(store, Outbox(store.uploads, broker), admission, {}, most)
        access = UploadAccess(store)
        undos = Undos(store.uploads, uploads, access, admission, _UNDO_DAYS)
        self._gateway = process, Gateway(uploads, access, undos)
        process.stop.wait()

    def _relay(self, process: Process) -> None:
        store = self._stores(process)
        broker = cast(Broker, SimulatedBroker(self.world, self.queues, process))
        relay = Relay(store, broker, _SWEEP_SECONDS)
        while not process.stop.is_set():
            try:
                relay.turn()
            except Unavailable as error:
                self.world.note(f"relay: {error!r}")
            process.stop.wait(_TURN_SECONDS)

    def _load(self, process: Process) -> None:
        store = self._stores(process)
        broker = SimulatedBroker(self.world, self.queues, process)
        database = SimulatedDatabase(
            self.world, self.server, process, takes_files=self.plan.takes_files
        )
        watchdog = Watchdog(1e9)
        processor = UploadProcessor(
            store,
            cast(Broker, broker),
            database,
            cast(Any, process.stop),
            watchdog,
            _LIMITS,
            self.scratch,
            _SIGNER,
        )
        _charge_loads(processor, process, self)
        sweep = AnswerSweep(database, timedelta(hours=24))
        expiry = ChangeExpiry(database, days=_UNDO_DAYS)
        meter = SizeMeter(database)
        consumer = UploadConsumer(processor, watchdog, Heartbeat(), sweep, expiry, meter)

        def chores() -> None:
            while not process.stop.is_set():
                process.stop.wait(_TURN_SECONDS)
                try:
                    consumer._do_chores()
                except Exception as error:  # noqa: BLE001 - the next tick raises it
                    process.failed = error
                    return

        self.world.scheduler.start(chores, process)
        with suppress(Stopped):
            broker.consume_until_stopped("dbuploader", consumer.handle)

    def _notify(self, process: Process) -> None:
        stores = self._stores(process)
        broker = SimulatedBroker(self.world, self.queues, process)
        mailer = cast(Mailer, SimulatedMailer(self.world, self.mailbox, process))
        email = EmailChannel(mailer, "muster@localhost", "http://localhost:8080")
        digests = Digests(stores.uploads, self.world.scheduler.clock)
        notifier = Notifier(stores.uploads, email, EachEmail(), digests)
        # Nobody asks for emails about accounts: auth is not simulated.
        accounts = AccountEmails(lambda _: None, AccountEmailSender(mailer, "", ""))
        handler = Handler(stores.uploads, notifier, accounts, _call_nobody)
        broker.consume_until_stopped("notification", handler)


def _charge_loads(processor: UploadProcessor, process: Process, system: System) -> None:
    """All uploads of a run are in the hands of the process, not only the one it has come to.

    One that is thought dead goes on until it hears of that. What it begins meanwhile may count as
    what it had begun before: who comes after it can't tell whether it lives.
    """
    process_run, find_or_try = processor._process_run, processor._find_or_try

    def charged(run: list[Upload], failed: dict[str, Exception]) -> int:
        process.in_hand = {upload.id for upload in run}
        if system.queues.is_thought_dead(process):
            system.world.charge_process(process)
        try:
            return process_run(run, failed)
        finally:
            process.in_hand = set()

    def tried(upload: Upload, attempt_id: str | None) -> UploadOutcome | None:
        if upload.id not in process.in_hand and system.queues.is_thought_dead(process):
            system.world.blame_of(upload.id).ended += 1
        return find_or_try(upload, attempt_id)

    processor._process_run = charged  # type: ignore[method-assign]
    processor._find_or_try = tried  # type: ignore[method-assign]


def _raising(error: Exception) -> Callable[[], Any]:
    def again() -> Any:
        raise error

    return again
