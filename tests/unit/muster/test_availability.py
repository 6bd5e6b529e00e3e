"""Commands that run once wait for what they need."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from auth.migrations import migrate
from muster.database import (
    AccessDenied,
    DatabaseRefused,
    DatabaseUnavailable,
    open_database,
)
from muster.database.availability import DENIED_SECONDS, wait_for

COMMANDS = {
    "auth.migrations": ("-m", "auth.migrations"),
    "dbuploader.migrations": ("-m", "dbuploader.migrations"),
    "ensure-admin": ("-m", "flask", "--app", "auth.app", "users", "ensure-admin"),
}


@dataclass
class Server:
    """Raises what `error` gives for the moment, until it gives None."""

    error: Callable[[float], Exception | None]
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def call(self) -> str:
        error = self.error(self.now)
        if error is not None:
            raise error
        return "done"

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait(self, seconds: float = 600.0) -> str:
        return wait_for(self.call, seconds, lambda: self.now, self.sleep)


def away_until(end: float, error: Exception) -> Server:
    return Server(lambda now: error if now < end else None)


def test_a_database_that_comes_is_waited_for_and_used_within_a_second() -> None:
    server = away_until(200.0, DatabaseUnavailable("can't connect"))
    assert server.wait() == "done"
    assert 200.0 <= server.now <= 201.0
    assert server.slept[0] == 0.1


def test_a_wait_has_an_end() -> None:
    server = away_until(10_000.0, DatabaseUnavailable("can't connect"))
    with pytest.raises(DatabaseUnavailable, match="can't connect"):
        server.wait(300.0)
    assert 300.0 <= server.now <= 301.0


def test_without_patience_one_call_is_made() -> None:
    server = away_until(1.0, DatabaseUnavailable("can't connect"))
    with pytest.raises(DatabaseUnavailable):
        server.wait(0)
    assert server.slept == []


def test_an_account_that_comes_late_is_waited_for() -> None:
    away, denied = DatabaseUnavailable("can't connect"), AccessDenied("who is that?")

    def error(now: float) -> Exception | None:
        return away if now < 100 else denied if now < 140 else None

    server = Server(error)
    assert server.wait() == "done"
    assert 140.0 <= server.now <= 141.0


def test_a_wrong_password_is_told_after_a_minute() -> None:
    away, denied = DatabaseUnavailable("can't connect"), AccessDenied("who is that?")
    server = Server(lambda now: away if now < 100 else denied)
    with pytest.raises(AccessDenied):
        server.wait()
    assert 100 + DENIED_SECONDS <= server.now <= 102 + DENIED_SECONDS


@pytest.mark.parametrize("error", [DatabaseRefused("too old"), ValueError("a mistake of ours")])
def test_what_waiting_cannot_fix_is_told_at_once(error: Exception) -> None:
    server = away_until(1.0, error)
    with pytest.raises(type(error)):
        server.wait()
    assert server.slept == []


def test_what_is_waited_for_is_logged_when_it_changes_and_now_and_then() -> None:
    away, denied = DatabaseUnavailable("can't connect"), AccessDenied("who is that?")

    def error(now: float) -> Exception | None:
        return away if now < 25 else denied if now < 30 else None

    with capture_logs() as logs:
        Server(error).wait()
    assert [(each["event"], each["code"], each["error"]) for each in logs] == [
        *[("waiting", "waiting-for-database", "can't connect")] * 3,
        ("waiting", "waiting-for-database", "who is that?"),
    ]
    assert logs[0]["seconds"] == 600


@contextmanager
def started(command: str, home: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {
        **os.environ,
        "MUSTER_AUTH_DATABASE_URL": url,
        "MUSTER_EMPLOYMENT_DATABASE_URL": url,
        "MUSTER_HOME": str(home),
        "MUSTER_ADMIN_PASSWORD": "correct horse battery",
    }
    process = subprocess.Popen(
        [sys.executable, *COMMANDS[command]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def log_line(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stderr is not None
    line: dict[str, object] = json.loads(process.stderr.readline())
    return line


@pytest.mark.parametrize("command", ["auth.migrations", "dbuploader.migrations"])
def test_migrations_wait_in_their_process(command: str, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("no directory yet")
    with started(command, tmp_path, f"sqlite:///{tmp_path}/blocked/service.db") as process:
        assert log_line(process)["event"] == "waiting"
        (tmp_path / "blocked").unlink()
        assert process.wait() == 0
    assert (tmp_path / "blocked" / "service.db").exists()


def test_the_first_administrator_waits_for_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.db"
    with started("ensure-admin", tmp_path, url) as process:
        line = log_line(process)
        assert (line["event"], line["service"]) == ("waiting", "auth")
        assert "no such table" in str(line["error"])
        database = open_database(url)
        migrate(database)
        database.close()
        said, _ = process.communicate()
    assert (process.returncode, said) == (0, "The administrator admin@example.com is added.\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_one_that_waits_ends_at_once_when_it_is_told_to(command: str, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("no directory")
    with started(command, tmp_path, f"sqlite:///{tmp_path}/blocked/service.db") as process:
        assert log_line(process)["event"] == "waiting"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
