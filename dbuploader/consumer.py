"""`python -m dbuploader.consumer`: loads the uploads that the queue `dbuploader` names.

Modules that import pyarrow are imported once the adapters are open: after pyarrow, MySQL's driver
does not load ("cannot allocate memory in static TLS block", where the dynamic linker has no room
left for its thread-local variables: https://github.com/conda-forge/arrow-cpp-feedstock/issues/636).
"""

from muster import startup  # noqa: F401

# isort: split
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from dbuploader.batches.idempotency import AnswerSweep
from dbuploader.db import check_schema
from dbuploader.db.schema import load_attempts
from dbuploader.journal.expiry import ChangeExpiry
from dbuploader.journal.receipts import ReceiptSigner
from dbuploader.journal.size import SizeMeter
from dbuploader.scratch import Scratch
from dbuploader.settings import Settings
from dbuploader.uploads.outcome import NotFinished
from dbuploader.uploads.retry import LoadRetry
from dbuploader.uploads.watchdog import Watchdog
from muster.backends.dependencies import once
from muster.backends.signing_key import load_key
from muster.broker import Ack, DeadLetter, Delivery, Retry, Verdict, open_broker
from muster.broker.messaging import handling
from muster.contracts.messages import UnreadableMessage, UploadAccepted
from muster.contracts.uploads import UnreadableRecord
from muster.database import Database, open_database
from muster.observability.tracing import bind_log_fields
from muster.settings import read_settings
from muster.stores import open_stores
from muster.uploadstore import UploadNotFound
from muster.weather import Unavailable
from muster.worker.heartbeat import Heartbeat
from muster.worker.process import WorkerProcess, worker_process
from muster.worker.shutdown import Stopped

if TYPE_CHECKING:
    from dbuploader.uploads.processor import UploadProcessor

log = structlog.get_logger(__name__)

QUEUE = "dbuploader"
_SET_ASIDE_SECONDS = 60.0
_LONGEST_END_SECONDS = 2.0


class Chores:
    """Calls `work` in a daemon thread, one call at a time.

    The thread that serves the broker's connection can't wait for a store that hangs: the broker
    would hear no heartbeat, and deliver the message to another consumer.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begin a call, unless one is running; raises what the previous one raised."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._error is not None:
            raise self._error
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for a running call, but not for one that hangs."""
        if self._thread is not None:
            self._thread.join(_LONGEST_END_SECONDS)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised by the next start
            self._error = error


class UploadConsumer:
    """What the broker calls: `handle` with each delivery, `tick` about every second."""

    def __init__(
        self,
        processor: "UploadProcessor",
        watchdog: Watchdog,
        heartbeat: Heartbeat,
        sweep: AnswerSweep,
        expiry: ChangeExpiry,
        meter: SizeMeter,
    ) -> None:
        self._processor = processor
        self._sweep = sweep
        self._expiry = expiry
        self._meter = meter
        self._watchdog = watchdog
        self._heartbeat = heartbeat
        self._chores = Chores(self._do_chores)

    def handle(self, delivery: Delivery) -> Verdict:
        """Finish the upload that the message names; a process that must stop requeues it."""
        with handling(delivery):
            try:
                message = UploadAccepted.from_body(delivery.body)
                bind_log_fields(upload_id=message.upload_id)
                if delivery.first:
                    self._processor.take_over()
                self._sweep.run_if_due()
                self._processor.process_up_to(message.upload_id)
            except (UnreadableMessage, UploadNotFound) as error:
                log.error("message not understood", error=repr(error))
                return DeadLetter(repr(error))
            except UnreadableRecord as error:
                # Until a version that can read it runs, or an operator has repaired it.
                log.warning("the message comes again", reason=error.reason)
                return Retry(_SET_ASIDE_SECONDS)
            except NotFinished as error:
                return DeadLetter(repr(error.__cause__))
            except Stopped:
                return Retry(0)
            return Ack()

    def tick(self) -> None:
        """Called about every second, whether a load is in progress or not."""
        self._heartbeat.beat()
        self._watchdog.check()
        self._chores.start()

    def end(self) -> None:
        """Wait for what runs beside the consumer, and leave nothing to be marked."""
        self._chores.end()
        with suppress(Unavailable):
            self._processor.end()

    def _do_chores(self) -> None:
        if self._watchdog.idle:
            # A load may have the database to itself.
            self._sweep.run_if_due()
            self._expiry.run_if_due()
            self._meter.run_if_due()
        try:
            self._processor.cancel_queued()
            self._processor.mark_announced()
        except Unavailable as error:
            log.warning("the records will be changed later", error=repr(error))


def run(worker: WorkerProcess, settings: Settings, scratch: Scratch) -> None:
    """Consume until the worker must stop."""
    urls = settings.csv_store_url, settings.file_store_url
    stores = worker.open("CSV store", partial(open_stores, *urls))
    broker = worker.open("broker", partial(open_broker, settings.broker_url))
    signer = ReceiptSigner(load_key(settings.receipt_key), settings.public_url)
    with closing(_open_database(settings, scratch)) as database:
        processor_class = _import_processor()
        check = partial(check_schema, database)
        worker.watch("database", check, afresh=partial(check_database_anew, settings))
        # Ready once it has seen its tables, while it is connected to the broker.
        worker.serve_health(ready={"broker": broker.check, "database": once(check)})
        watchdog = Watchdog(settings.stall_seconds)
        processor = processor_class(
            stores,
            broker,
            database,
            worker.stop,
            watchdog,
            settings.load_limits,
            scratch,
            signer,
        )
        sweep = AnswerSweep(database, settings.batch_limits.keep_answers)
        expiry = ChangeExpiry(database, settings.undo_days)
        meter = SizeMeter(database)
        consumer = UploadConsumer(processor, watchdog, worker.heartbeat, sweep, expiry, meter)
        try:
            # An attempt must not be counted on a database that does not exist yet.
            LoadRetry(worker.stop, worker.heartbeat.beat).call(check)
            broker.consume(QUEUE, consumer.handle, stop=worker.stop, tick=consumer.tick)
        except Stopped:
            log.info("stopped before the database was there")
        finally:
            consumer.end()


def _open_database(settings: Settings, scratch: Scratch) -> Database:
    return open_database(
        settings.employment_database_url,
        scratch.path,
        allow_multi_primary=settings.allow_multi_primary,
        exclusive=True,
        trial=load_attempts,
    )


def _import_processor() -> type["UploadProcessor"]:
    """What imports pyarrow, once the database's driver is loaded. Raises DeclarationRefused."""
    import pyarrow as pa

    from dbuploader.uploads.processor import UploadProcessor
    from dbuploader.validation.rows import check_declarations

    # Arrow's own pool keeps what it once had, the system's gives it back: about 20 MiB.
    pa.set_memory_pool(pa.system_memory_pool())
    check_declarations()
    return UploadProcessor


def check_database_anew(settings: Settings) -> None:
    """Return if the tables are there, by a client of its own; raises DatabaseUnavailable."""
    url, allowed = settings.employment_database_url, settings.allow_multi_primary
    with closing(open_database(url, allow_multi_primary=allowed)) as database:
        check_schema(database)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = read_settings(Settings, "dbuploader-consumer")
    with worker_process("dbuploader-consumer", settings) as worker, suppress(Stopped):
        make_scratch = LoadRetry(worker.stop, alive=lambda: None).call
        with make_scratch(partial(Scratch, settings.scratch_root)) as scratch:
            run(worker, settings, scratch)


if __name__ == "__main__":
    main()
