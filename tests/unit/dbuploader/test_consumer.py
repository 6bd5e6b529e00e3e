"""The consumer as a process, over the embedded broker and store."""

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from dbuploader.batches.idempotency import AnswerSweep
from dbuploader.consumer import UploadConsumer, check_database_anew
from dbuploader.journal.expiry import ChangeExpiry
from dbuploader.journal.size import SizeMeter
from dbuploader.settings import Settings
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from embedded import ports
from muster.backends.signing_key import load_key
from muster.broker import Ack, Broker, BrokerUnavailable, DeadLetter, Delivery, Retry, open_broker
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import UNFINISHED, RowCounts, State
from muster.database import DatabaseUnavailable
from muster.weather import StoreUnavailable
from muster.worker.heartbeat import Heartbeat
from muster.worker.shutdown import Stopped
from tests.unit.dbuploader.suite import Suite
from tests.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a loader makes its key."""
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path))


class FakeProcessor:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.finished: list[str] = []
        self.looks = 0
        self.answers = threading.Event()
        self.answers.set()
        self.taken_over: list[int] = []

    def take_over(self) -> None:
        self.taken_over.append(len(self.finished))

    def process_up_to(self, upload_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.finished.append(upload_id)

    def cancel_queued(self) -> None:
        self.looks += 1
        self.answers.wait(DEADLINE_SECONDS)
        if self.error is not None:
            raise self.error

    def mark_announced(self) -> None:
        pass

    def end(self) -> None:
        pass


class FakeSweep:
    def __init__(self) -> None:
        self.runs = 0

    def run_if_due(self) -> None:
        self.runs += 1


def no_sweep() -> AnswerSweep:
    return cast(AnswerSweep, FakeSweep())


def no_expiry() -> ChangeExpiry:
    return cast(ChangeExpiry, FakeSweep())


def no_meter() -> SizeMeter:
    return cast(SizeMeter, FakeSweep())


def with_processor(processor: UploadProcessor, watchdog: Watchdog | None = None) -> UploadConsumer:
    """A consumer that sweeps nothing."""
    watchdog = watchdog or Watchdog(300)
    return UploadConsumer(processor, watchdog, Heartbeat(), no_sweep(), no_expiry(), no_meter())


def consumer(processor: FakeProcessor) -> UploadConsumer:
    return with_processor(cast(UploadProcessor, processor))


def accepted(upload_id: str) -> bytes:
    return UploadAccepted(upload_id, "jobs", "ana@example.com", "2021-01-01T00:00:00Z").to_body()


def test_a_message_is_done_with_once_its_upload_is_finished() -> None:
    processor = FakeProcessor()

    assert consumer(processor).handle(Delivery("upload.accepted", accepted("7"))) == Ack()
    assert processor.finished == ["7"]


def test_the_first_message_has_it_take_over_before_anything_else() -> None:
    processor = FakeProcessor()
    loader = consumer(processor)
    for upload_id, first in (("7", True), ("8", False), ("9", True)):
        loader.handle(Delivery("upload.accepted", accepted(upload_id), first=first))
    assert processor.finished == ["7", "8", "9"]
    # So many were finished before each.
    assert processor.taken_over == [0, 2]


def test_old_answers_are_swept_before_a_load_and_between_loads_but_not_during_one() -> None:
    watchdog, processor = Watchdog(300), FakeProcessor()
    sweep, expiry, meter = FakeSweep(), FakeSweep(), FakeSweep()
    loader = UploadConsumer(
        cast(UploadProcessor, processor),
        watchdog,
        Heartbeat(),
        cast(AnswerSweep, sweep),
        cast(ChangeExpiry, expiry),
        cast(SizeMeter, meter),
    )
    tick_and_wait(loader, processor)
    assert (sweep.runs, expiry.runs, meter.runs) == (1, 1, 1)
    loader.handle(Delivery("upload.accepted", accepted("7")))
    assert (sweep.runs, expiry.runs, meter.runs) == (2, 1, 1)
    with watchdog.watching():
        tick_and_wait(loader, processor)
    assert (sweep.runs, expiry.runs, meter.runs) == (2, 1, 1)


def tick_and_wait(loader: UploadConsumer, processor: "FakeProcessor") -> None:
    """Tick until what is done beside has been done once more."""
    before = processor.looks

    def tick() -> bool:
        loader.tick()
        return processor.looks > before

    eventually(tick)


def test_a_tick_does_not_wait_for_a_store_that_hangs() -> None:
    processor = FakeProcessor()
    processor.answers.clear()
    loader = consumer(processor)
    for _ in range(3):
        loader.tick()
    eventually(lambda: processor.looks == 1)
    loader.tick()
    assert processor.looks == 1
    processor.answers.set()
    tick_and_wait(loader, processor)


def test_a_mistake_made_beside_is_raised_by_a_later_tick() -> None:
    processor = FakeProcessor(RuntimeError("a mistake"))
    loader = consumer(processor)

    def tick() -> bool:
        loader.tick()
        return False

    with pytest.raises(RuntimeError, match="a mistake"):
        eventually(tick)


def test_a_stop_gives_the_message_back() -> None:
    verdict = consumer(FakeProcessor(Stopped())).handle(Delivery("upload.accepted", accepted("7")))

    assert verdict == Retry(0)


@pytest.mark.parametrize("body", [b"", b"{", b'{"version": 99}', b"\xff", b"[]"])
def test_an_unreadable_message_is_a_dead_letter(body: bytes) -> None:
    verdict = consumer(FakeProcessor()).handle(Delivery("upload.accepted", body))

    assert isinstance(verdict, DeadLetter)


def test_a_message_without_its_record_is_a_dead_letter(suite: Suite) -> None:
    verdict = with_processor(suite.processor()).handle(
        Delivery("upload.accepted", accepted("absent"))
    )

    assert isinstance(verdict, DeadLetter)


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), BrokerUnavailable("gone")])
def test_a_tick_bears_with_what_does_not_answer(error: Exception) -> None:
    processor = FakeProcessor(error)
    loader = consumer(processor)
    for _ in range(3):
        tick_and_wait(loader, processor)


def test_a_tick_ends_the_process_when_a_load_hangs(suite: Suite) -> None:
    time, ended = [0.0], []
    watchdog = Watchdog(300, end=lambda: ended.append(time[0]), clock=lambda: time[0])
    loader = with_processor(suite.processor(watchdog), watchdog)

    def hang() -> None:
        for time[0] in 299, 301:
            loader.tick()

    suite.faulty_files.after["open"] = [hang]
    loader.handle(Delivery("upload.accepted", accepted(suite.accept("jobs", "9,Baker\n"))))

    assert ended == [301]


def test_the_process_loads_what_is_queued_and_stops_when_asked(suite: Suite) -> None:
    broker = open_broker(suite.urls["broker_url"])
    upload_id = suite.accept("jobs", "9,Baker\n")
    with consuming(suite) as process:
        publish(broker, upload_id)
        eventually(lambda: suite.store.get(upload_id).announced)
        eventually(lambda: broker.depth("dbuploader").waiting == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0

    assert suite.store.get(upload_id).state == State.COMPLETED
    assert broker.depth("notification").waiting == 1
    broker.close()


def test_the_process_cancels_what_is_queued_without_a_message(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    suite.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)

    with consuming(suite):
        eventually(lambda: suite.store.get(upload_id).state == State.CANCELLED)


def test_a_killed_process_leaves_the_load_to_the_next(suite: Suite) -> None:
    broker = open_broker(suite.urls["broker_url"])
    rows = 60_000
    content = "".join(f"{key},Job {key}\n" for key in range(10, 10 + rows))
    upload_id = suite.accept("jobs", content)
    publish(broker, upload_id)
    with consuming(suite) as process:
        eventually(lambda: suite.store.get(upload_id).state != State.QUEUED)
        process.kill()
        process.wait(DEADLINE_SECONDS)

    with consuming(suite):
        eventually(lambda: suite.store.get(upload_id).announced)

    assert suite.store.get(upload_id).rows == RowCounts(read=rows, inserted=rows)
    assert len(suite.rows("jobs")) == 3 + rows
    broker.close()


def publish(broker: Broker, upload_id: str) -> None:
    broker.publish("upload.accepted", accepted(upload_id), {})


def test_the_process_says_whether_it_is_well(suite: Suite) -> None:
    with ports.reserve() as reserved:
        port = ports.port_of(reserved)
        with consuming(suite, MUSTER_HEALTH_PORT=str(port)):
            eventually(lambda: status(port, "/readyz") == 200)
            assert status(port, "/healthz") == status(port, "/metrics") == 200


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def consuming(suite: Suite, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {f"MUSTER_{name.upper()}": url for name, url in suite.urls.items()}
    log = Path(suite.urls["csv_store_url"].removeprefix("file://")).with_name("consumer.log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dbuploader.consumer"],
            env={**os.environ, **environment, **variables},
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_another_client_finds_no_tables_either_where_none_are(sqlite_database_url: str) -> None:
    # It would be started again and again, where it is the migration that is missing.
    with pytest.raises(DatabaseUnavailable):
        check_database_anew(Settings(employment_database_url=sqlite_database_url))


def test_it_does_not_start_with_a_key_that_others_may_read(tmp_path: Path) -> None:
    key = tmp_path / "receipt-key.pem"
    load_key(key)
    key.chmod(0o644)
    environment = {**os.environ, "MUSTER_HOME": str(tmp_path), "MUSTER_RECEIPT_KEY_FILE": str(key)}
    ended = subprocess.run(
        [sys.executable, "-m", "dbuploader.consumer"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert f"Others have access to {key}; run chmod 600 on it." in ended.stderr
    assert "Traceback" not in ended.stderr
