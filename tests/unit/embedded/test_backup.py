"""A backup of a data directory that is in use, and what a restore makes of it."""

import io
import json
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from dbuploader.journal import replay_erasures
from dbuploader.journal.audit.__main__ import audit
from dbuploader.journal.audit.evidence import Evidence
from embedded.adapters import BackendSettings
from embedded.backup import Made, _Copying, back_up
from embedded.backup import main as backup_command
from embedded.errors import BackupError
from embedded.home import Home
from embedded.layout import Layout
from embedded.manifest import NAME, TOMBSTONES
from embedded.restore import main as restore_command
from embedded.restore import restore
from embedded.terminal import Terminal
from embedded.whole_directory import whole_directory
from gateway import republish
from muster.broker import Ack, open_broker
from muster.broker.messaging import publish
from muster.broker.sqlite import QueueFile
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import FilesRemoved, State, Upload, now
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.uploads.test_erasing_files import erase

SECRETS = ("signing-key.pem", "receipt-key.pem", "webhook-key", "admin-password", "admin-exists")
SCREEN = Terminal(None)
PASSING = ("log", "run", "scratch")
HIRE = "{number},Hire {number},2021-07-27T16:02:08Z,{parent},1\n"


def open_suite(home: Path) -> Suite:
    home.mkdir(mode=0o700, exist_ok=True)
    return Suite(home, f"sqlite:///{home}/employment.db")


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    """A data directory as the suite makes it, with departments and jobs 1 to 3."""
    suite = open_suite(tmp_path / "home")
    for name in ("auth.db", "notification.db"):
        with closing(sqlite3.connect(suite.home / name)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE marks (mark TEXT)")
    for name in SECRETS:
        (suite.home / name).write_text(f"the {name}\n")
        (suite.home / name).chmod(0o644)
    for name in ("log", "run", "scratch", "mail/new"):
        (suite.home / name).mkdir(parents=True, exist_ok=True)
        (suite.home / name / "one").write_text(name)
    suite.seed()
    with closing(open_broker(suite.urls["broker_url"])) as broker:
        broker.check()
    yield suite
    suite.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands on a copy run in this process, which has imported them already."""
    monkeypatch.setattr("embedded.backup.run_command", run_here)
    monkeypatch.setattr("embedded.restore.run_command", run_here)


def run_here(layout: Layout, module: str, *arguments: str) -> str:
    commands: dict[str, Callable[[], None]] = {
        "gateway.republish": republish.main,
        "dbuploader.journal.replay_erasures": partial(replay_erasures.main, [*arguments]),
        "dbuploader.migrations": lambda: None,
    }
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()) as said:
        for name, value in layout.environment().items():
            patched.setenv(name, value)
        commands[module]()
    lines = said.getvalue().splitlines()
    return "\n".join(line for line in lines if not line.startswith('{"event"'))


def layout_of(home: Path) -> Layout:
    return Layout.of(BackendSettings(home=home))


def send(suite: Suite, number: int) -> str:
    """An upload of one good row and one bad, accepted and queued as by the gateway."""
    rows = HIRE.format(number=number, parent=number % 3 + 1) + f"{number},,,,\n"
    upload = suite.store.get(suite.accept("hired_employees", rows))
    with closing(open_broker(suite.urls["broker_url"])) as broker:
        publish(broker, UploadAccepted.about(upload), upload)
    suite.store.mark("published", [upload.id])
    return upload.id


def uploads_of(suite: Suite) -> list[Upload]:
    return suite.store.find(owner=None, state=None, table=None, before=None, limit=10_000)


def work_off(suite: Suite) -> None:
    """Load what the messages in the broker name."""
    with closing(QueueFile(suite.home / "broker.db", 10)) as queue:
        while (taken := queue.take("dbuploader")) is not None:
            named = UploadAccepted.from_body(taken.delivery.body)
            suite.processor().process_up_to(named.upload_id)
            queue.settle(taken, Ack())


def findings(suite: Suite) -> list[str]:
    with suite.database.read() as connection:
        evidence = Evidence(connection, suite.database, suite.stores, patience=0.1)
        return [str(finding) for finding in audit(evidence)]


def make(suite: Suite, target: Path) -> Made:
    return back_up(layout_of(suite.home), target, SCREEN)


def restored(home: Path, copy: Path, tombstones: Path | None = None) -> Suite:
    restore(layout_of(home), copy, SCREEN, tombstones)
    return open_suite(home)


def tree(home: Path) -> dict[str, bytes]:
    """All files but the databases, and what is left of a run of the suite."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and ".db" not in path.name and path.parent.name not in PASSING
    }


class Traffic:
    """Uploads that are sent, and loaded, in threads until the block ends."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._load)]
        self.sent: list[str] = []

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._stop.is_set():
            self.sent.append(send(self._suite, len(self.sent) + 1))

    def _load(self) -> None:
        while not self._stop.is_set():
            work_off(self._suite)


def test_what_was_accepted_before_a_backup_under_load_ends_after_its_restore(
    suite: Suite, tmp_path: Path, at_once: None
) -> None:
    with Traffic(suite) as traffic:
        while len(traffic.sent) < 20:
            time.sleep(0.01)
        before = [*traffic.sent]
        made = make(suite, tmp_path / "copy")
    assert not made.lost
    assert len(before) + 2 <= made.totals.uploads <= len(traffic.sent) + 2

    copy = restored(tmp_path / "again", tmp_path / "copy")
    with closing(copy):
        work_off(copy)
        uploads = uploads_of(copy)
        assert len(uploads) == made.totals.uploads
        assert {upload.id for upload in uploads} >= {*before}
        hires = [upload for upload in uploads if upload.table == "hired_employees"]
        assert {(each.state, each.rows.inserted, each.rows.rejected) for each in hires} == {
            (State.COMPLETED_WITH_REJECTS, 1, 1)
        }
        assert [row[0] for row in copy.rows("hired_employees")] == [*range(1, len(hires) + 1)]
        assert findings(copy) == []


def test_a_restored_directory_is_as_the_one_that_was_backed_up(
    suite: Suite, tmp_path: Path, at_once: None
) -> None:
    for number in (1, 2, 3):
        send(suite, number)
    work_off(suite)
    made = make(suite, tmp_path / "copy")

    restore(layout_of(tmp_path / "again"), tmp_path / "copy", SCREEN)
    files = [path for path in (tmp_path / "again").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700
    with closing(open_suite(tmp_path / "again")) as copy:
        assert tree(copy.home) == tree(suite.home)
        assert uploads_of(copy) == uploads_of(suite)
        assert copy.rows("hired_employees") == suite.rows("hired_employees")
        assert findings(copy) == []
        assert not made.lost
    kept = tmp_path / "home/store/files"
    for path in kept.rglob("*"):
        again = tmp_path / "again" / path.relative_to(suite.home)
        assert path.is_dir() or again.stat().st_mtime_ns == path.stat().st_mtime_ns


def test_a_message_that_the_queue_lacks_is_in_the_copy(
    suite: Suite, tmp_path: Path, at_once: None
) -> None:
    waiting = send(suite, 1)
    with closing(sqlite3.connect(suite.home / "broker.db")) as connection:
        connection.execute("DELETE FROM messages")
        connection.commit()
    make(suite, tmp_path / "copy")
    with closing(restored(tmp_path / "again", tmp_path / "copy")) as copy:
        work_off(copy)
        assert copy.store.get(waiting).state is State.COMPLETED_WITH_REJECTS


def test_a_file_that_is_removed_while_it_is_copied_is_not_in_the_copy(
    suite: Suite, tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(suite, 1)
    late: list[str] = []
    work_off(suite)
    copy_databases = _Copying._copy_databases

    def remove(upload_id: str) -> None:
        removed = FilesRemoved("expired", now())
        suite.stores.remove_files({upload_id: {"files_removed": removed}})

    def copy_as_files_go(copying: _Copying) -> str:
        if not late:
            remove(first)
            late.append(send(suite, 2))
            work_off(suite)
            taken_at = copy_databases(copying)
            remove(late[0])
            return taken_at
        return copy_databases(copying)

    monkeypatch.setattr(_Copying, "_copy_databases", copy_as_files_go)
    assert not make(suite, tmp_path / "copy").lost
    assert not [*(tmp_path / "copy/home/store/files").glob(f"*/{first}*")]
    with closing(restored(tmp_path / "again", tmp_path / "copy")) as copy:
        assert copy.store.get(late[0]).files_removed is not None
        assert findings(copy) == []


def test_a_file_that_was_lost_before_is_named(
    suite: Suite,
    tmp_path: Path,
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost = send(suite, 1)
    suite.stores.files.delete(lost)
    monkeypatch.setenv("MUSTER_HOME", str(suite.home))
    monkeypatch.setenv("MUSTER_RECEIPT_KEY_FILE", "/etc/muster/receipt-key.pem")
    assert backup_command([str(tmp_path / "copy")]) == 0
    said = capsys.readouterr()
    assert f"{lost} is lost" in said.err
    assert "the file that MUSTER_RECEIPT_KEY_FILE names" in said.err
    assert "3 uploads" in said.out


def test_what_was_erased_since_is_erased_again(suite: Suite, tmp_path: Path, at_once: None) -> None:
    send(suite, 1)
    send(suite, 2)
    work_off(suite)
    make(suite, tmp_path / "monday")
    erase(suite, key=1)
    make(suite, tmp_path / "friday")
    later = tmp_path / "friday" / TOMBSTONES
    assert json.loads(later.read_text())["key"] == 1

    with closing(restored(tmp_path / "again", tmp_path / "monday", later)) as copy:
        assert [row[0] for row in copy.rows("hired_employees")] == [1, 2]
        [waiting] = copy.store.unfinished(0, 10)[-1:]
        copy.processor().process_up_to(waiting.id)
        assert [row[0] for row in copy.rows("hired_employees")] == [2]
        assert findings(copy) == []


@pytest.fixture
def copy(suite: Suite, tmp_path: Path, at_once: None) -> Path:
    """A backup of a small suite."""
    send(suite, 1)
    make(suite, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_backup_that_is_damaged_is_not_restored(copy: Path, tmp_path: Path) -> None:
    def refused(saying: str) -> None:
        with pytest.raises(BackupError, match=saying):
            restore(layout_of(tmp_path / "again"), copy, SCREEN)
        assert not [*tmp_path.glob("again*")]

    manifest = (copy / NAME).read_bytes()
    key = copy / "home/signing-key.pem"
    key.write_bytes(key.read_bytes().upper())
    refused(r"signing-key.pem is not what was backed up")
    key.unlink()
    refused(r"signing-key.pem is missing")
    (copy / NAME).write_bytes(manifest.rpartition(b"\n{")[0])
    refused("no whole backup")
    (copy / NAME).write_bytes(manifest.partition(b"\n")[2])
    refused("lists other files|is missing|not what")
    (copy / NAME).write_bytes(manifest.replace(b'"home/signing-key', b'"../signing-key'))
    refused("not in it")
    (copy / NAME).unlink()
    refused("no whole backup")


def test_a_data_directory_that_is_in_use_or_has_something_is_not_restored_to(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "again"
    monkeypatch.setenv("MUSTER_HOME", str(home))
    with Home(home):
        assert restore_command([str(copy)]) == 1
        assert f"A muster runs on {home}: stop it first" in capsys.readouterr().err
    assert restore_command([str(copy)]) == 1
    assert f"mv {home} {home}.before" in capsys.readouterr().err
    shutil.rmtree(home)
    home.mkdir()
    assert restore_command([str(copy)]) == 0
    assert "3 uploads" in capsys.readouterr().out


def test_what_a_killed_backup_left_is_removed_by_the_next(suite: Suite, tmp_path: Path) -> None:
    left = tmp_path / "left.part"
    (left / "home").mkdir(parents=True)
    with (
        pytest.raises(BackupError, match=r"left.part is in the way"),
        whole_directory(tmp_path / "left"),
    ):
        pass
    (left / ".unfinished").touch()
    with whole_directory(tmp_path / "left") as part:
        (part / "new").touch()
        with (
            pytest.raises(BackupError, match="Another process"),
            whole_directory(tmp_path / "left"),
        ):
            pass
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["new"]
    assert not left.exists()


def test_why_a_backup_cannot_be_made_is_told_in_a_line(
    suite: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(suite.home))

    def refused(target: Path, saying: str) -> None:
        assert backup_command([str(target)]) == 1
        [*_, line] = capsys.readouterr().err.splitlines()
        assert saying in line
        assert not target.with_name(f"{target.name}.part").exists()

    refused(suite.home / "store/copy", "is in")
    refused(suite.home.parent, "is there already: move it away")
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
        refused(tmp_path / "copy", "has 0.0 MB left")
    with monkeypatch.context() as patched:
        patched.setenv("MUSTER_HOME", str(tmp_path / "never"))
        refused(tmp_path / "copy", "set MUSTER_HOME to the directory of a suite that has run")
    for name, url in {
        "MUSTER_EMPLOYMENT_DATABASE_URL": "mysql://muster:secret@db/employment",
        "MUSTER_FILE_STORE_URL": "s3://bucket",
        "MUSTER_BROKER_URL": "sqlite:////elsewhere/broker.db",
    }.items():
        with monkeypatch.context() as patched:
            patched.setenv(name, url)
            refused(tmp_path / "copy", f"{name} names what is not in {suite.home}")
    assert not (tmp_path / "copy").exists()


def test_a_database_that_is_kept_elsewhere_within_is_found_there(
    suite: Suite, tmp_path: Path
) -> None:
    (suite.home / "queues").mkdir()
    (suite.home / "broker.db").rename(suite.home / "queues/broker.db")
    url = f"sqlite:///{suite.home}/queues/broker.db"
    layout = Layout.of(BackendSettings(home=suite.home, broker_url=url))
    back_up(layout, tmp_path / "copy", SCREEN)
    assert (tmp_path / "copy/home/queues/broker.db").exists()
