"""A database of an older backup than the records gets back what it lacks."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dbuploader.journal.audit.__main__ import audit
from dbuploader.journal.audit.evidence import Evidence, Finding
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.reload import main, reload
from muster.contracts.uploads import UNFINISHED, Email, EmailState, FilesRemoved, State, Upload, now
from tests.unit.dbuploader.suite import Suite, a_signer
from tests.unit.dbuploader.uploads.test_erasing_files import erase

AT = "2021-07-27T16:02:08Z"
EARLY = f"1,Ana,{AT},1,1\n2,Ben,{AT},2,2\n7,Zed,{AT},1,1\n"
LATE = f"2,Bennet,{AT},2,3\n3,Cid,{AT},3,3\nx,Odd,{AT},1,1\n"
LATER = f"3,Cidney,{AT},3,3\n4,Dee,{AT},3,3\n"


@pytest.fixture
def home(tmp_path: Path, unhurried: None) -> Path:
    """Where a database was restored from before the latest uploads, of every kind."""
    suite = open_suite(tmp_path)
    suite.seed()
    suite.load("hired_employees", EARLY)
    copy_database(tmp_path / "employment.db", tmp_path / "backup.db")
    late = suite.load("hired_employees", LATE)
    suite.undo(late)
    suite.load("hired_employees", LATER)
    suite.load("jobs", "4,Cook\n", dry_run=True)
    suite.load("jobs", "")
    cancelled = suite.accept("jobs", "7,Miner\n")
    suite.store.update(cancelled, expect=UNFINISHED, cancel_requested=True)
    suite.processor().cancel_queued()
    erase(suite)
    suite.store.update(late.id, expect={late.state}, email=Email(EmailState.SENT, now()))
    suite.close()
    (tmp_path / "employment.db").rename(tmp_path / "newest.db")
    (tmp_path / "backup.db").rename(tmp_path / "employment.db")
    return tmp_path


def open_suite(home: Path) -> Suite:
    return Suite(home, f"sqlite:///{home}/employment.db")


def uploads_of(suite: Suite) -> list[Upload]:
    return suite.store.find(owner=None, state=None, table=None, before=None, limit=100)


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def findings(suite: Suite) -> list[Finding]:
    with suite.database.read() as connection:
        evidence = Evidence(connection, suite.database, suite.stores, patience=0.1)
        return [*audit(evidence)]


def told(upload: Upload) -> tuple[Any, ...]:
    """What a record says of how its upload ended."""
    said = upload.state, upload.rows, upload.undone, upload.error, upload.undone_by
    return (upload.id, *said, upload.causes, upload.impact)


def work_off(suite: Suite) -> None:
    if waiting := suite.store.unpublished(100):
        suite.processor().process_up_to(waiting[-1].id)


def test_what_a_restored_database_lacks_is_loaded_again_in_order(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_suite(home)) as suite:
        before = {told(upload) for upload in uploads_of(suite)}
        with closing(sqlite3.connect(home / "newest.db")) as newest:
            rows = newest.execute("SELECT id, name FROM hired_employees ORDER BY id").fetchall()
        [*_, lacking] = findings(suite)
        assert "dbuploader.uploads.reload" in lacking.remedy

        monkeypatch.setenv("MUSTER_HOME", str(home))
        for name, value in suite.urls.items():
            monkeypatch.setenv(f"MUSTER_{name.upper()}", value)
        main()
        assert (
            "queued again: 4, of which 0 will fail as their file is no longer kept; "
            "entered in the ledger: 3"
        ) in capsys.readouterr().out

        work_off(suite)
        assert [row[:2] for row in suite.rows("hired_employees")] == rows
        assert {told(upload) for upload in uploads_of(suite)} == before
        assert findings(suite) == []
        # Whom was told of it is told again.
        assert all(upload.email is None for upload in uploads_of(suite))
        assert reload(suite.database, suite.store, Ledger(suite.database, a_signer())).queued == 0


def test_what_ends_while_it_is_done_is_done_by_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_suite(home)) as suite:
        decided = Ledger(suite.database, a_signer())
        update = suite.store.update
        queued: list[str] = []

        def update_once(upload_id: str, **changes: Any) -> Upload:
            if queued:
                raise KeyboardInterrupt
            queued.append(upload_id)
            return update(upload_id, **changes)

        with monkeypatch.context() as patched:
            patched.setattr(suite.store, "update", update_once)
            with pytest.raises(KeyboardInterrupt):
                reload(suite.database, suite.store, decided)
        assert reload(suite.database, suite.store, decided).queued == 3
        work_off(suite)
        assert findings(suite) == []


def test_an_upload_whose_file_is_gone_ends_as_failed(home: Path) -> None:
    with closing(open_suite(home)) as suite:
        [later] = [each for each in uploads_of(suite) if each.size == len(LATER)]
        expired = {later.id: {"files_removed": FilesRemoved("expired", now())}}
        suite.stores.remove_files(expired)
        done = reload(suite.database, suite.store, Ledger(suite.database, a_signer()))
        assert (done.queued, done.without_file) == (4, 1)
        work_off(suite)
        failed = suite.store.get(later.id)
        assert (failed.state, failed.error and failed.error.code) == ("failed", "file-missing")
        assert findings(suite) == []


def test_the_audit_says_what_to_do_where_other_backups_are_older(home: Path) -> None:
    with closing(open_suite(home)) as suite:
        [upload, *_] = [
            each for each in uploads_of(suite) if each.state is State.COMPLETED and each.size
        ]
        (home / "employment.db").unlink()
    (home / "newest.db").rename(home / "employment.db")
    with closing(open_suite(home)) as suite:
        suite.stores.files.delete(upload.id)
        [lost] = findings(suite)
        assert (lost.check, "newer backup" in lost.remedy) == ("files", True)
        with closing(sqlite3.connect(home / "store/records.db")) as records:
            records.execute("DELETE FROM uploads WHERE id = ?", [upload.id])
            records.commit()
        [lost] = findings(suite)
        assert (lost.check, "count as unchanged" in lost.remedy) == ("records", True)


@pytest.mark.chaos
def test_a_dump_of_a_server_is_brought_up_to_the_records(
    tmp_path: Path, mysql_database_url: str, unhurried: None
) -> None:
    server = urlsplit(mysql_database_url)
    address = [f"--host={server.hostname}", f"--port={server.port}", f"--user={server.username}"]
    account = ["--no-defaults", *address, "--protocol=tcp"]
    dump = ["mariadb-dump", *account, "--single-transaction", "--databases", server.path[1:]]
    with closing(Suite(tmp_path, mysql_database_url)) as suite:
        suite.seed()
        suite.load("hired_employees", EARLY)
        backup = subprocess.run(dump, check=True, capture_output=True).stdout
        suite.undo(suite.load("hired_employees", LATE))
        suite.load("hired_employees", LATER)
        erase(suite)
        before = {told(upload) for upload in uploads_of(suite)}
        rows = suite.rows("hired_employees")
    subprocess.run(["mariadb", *account], check=True, input=backup)
    with closing(Suite(tmp_path, mysql_database_url)) as suite:
        [*_, lacking] = findings(suite)
        assert "dbuploader.uploads.reload" in lacking.remedy
        decided = Ledger(suite.database, a_signer())
        assert reload(suite.database, suite.store, decided).queued == 4
        work_off(suite)
        assert suite.rows("hired_employees") == rows
        assert {told(upload) for upload in uploads_of(suite)} == before
        assert findings(suite) == []
