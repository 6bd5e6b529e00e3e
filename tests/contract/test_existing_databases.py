"""What an earlier version kept in MySQL is there in this one, and goes on.

`tests/data/mysql.json` has both databases as the version before the packages got their rooms left
them: statements that make them. One upload is decided, and one died in its first attempt.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import auth.migrations
import dbuploader.migrations
from auth.passwords import owasp_hasher
from auth.repository import UserStore
from dbuploader.batches.idempotency import BatchKey
from dbuploader.batches.merge import Batches
from muster.contracts.tables import get_table
from muster.contracts.uploads import State
from muster.database import Database, open_database
from tests.unit.dbuploader.suite import BATCH_LIMITS, Suite, an_author

STATEMENTS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "data/mysql.json").read_text("utf-8")
)
DECIDED = "decided" + "0" * 25
WAITING = "waiting" + "0" * 25


def fill(url: str, name: str) -> Database:
    database = open_database(url)
    with database.write() as connection:
        connection.execute(text("SET foreign_key_checks = 0"))
        for statement in STATEMENTS[name]:
            connection.exec_driver_sql(statement)
        connection.execute(text("SET foreign_key_checks = 1"))
    return database


@pytest.fixture
def suite(tmp_path: Path, mysql_database_url: str) -> Iterator[Suite]:
    database = fill(mysql_database_url, "employment")
    dbuploader.migrations.migrate(database)
    database.close()
    suite = Suite(tmp_path, mysql_database_url)
    yield suite
    suite.close()


def test_uploads_are_loaded_once_and_their_attempts_stay_counted(suite: Suite) -> None:
    decided, waiting = (
        suite.accept("hired_employees", f"{row}T16:02:08Z,1,1\n", upload_id=upload_id)
        for row, upload_id in (("7,Eve,2021-07-27", DECIDED), ("3,Cid,2021-05-01", WAITING))
    )

    suite.processor().process_up_to(waiting)

    upload = suite.store.get(decided)
    assert (upload.state, upload.rows.inserted) == (State.COMPLETED_WITH_REJECTS, 2)
    assert suite.store.get(waiting).rows.updated == 1
    assert [row[0] for row in suite.rows("hired_employees")] == [1, 3]
    assert suite.summary() == suite.expected_summary()
    with suite.database.read() as connection:
        attempts = text("SELECT attempts FROM load_attempts WHERE upload_id = :id")
        assert connection.execute(attempts, {"id": waiting}).scalar_one() == 2


def test_a_batch_that_was_answered_gets_its_answer(suite: Suite) -> None:
    # Whenever it was given, it is not to be forgotten yet.
    limits = replace(BATCH_LIMITS, keep_answers=timedelta.max)
    batches, jobs = Batches(suite.database, limits), get_table("jobs")
    answer = batches.merge(
        jobs, [{"id": 9, "job": "Cook"}], BatchKey("1", "batch-1", "f" * 64), an_author()
    )
    assert answer.content == {"read": 1, "inserted": 1, "updated": 0, "unchanged": 0}
    assert suite.rows("jobs")[-1] == (9, 'Baker\'s "best" ÿ 🐝')


def test_users_log_in_with_their_passwords(mysql_database_url: str) -> None:
    database = fill(mysql_database_url, "auth")
    auth.migrations.migrate(database)
    with UserStore(database).reading() as users:
        ana, admin = users.find("ana@example.com"), users.find("admin@example.com")
    assert ana is not None
    assert admin is not None
    assert ana.permissions == {"uploads:write", "uploads:read"}
    assert {"uploads:admin", "uploads:undo"} <= admin.permissions
    assert owasp_hasher().verify(ana.password_hash, "correct horse battery")
    database.close()
