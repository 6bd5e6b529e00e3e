import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from auth.accounts import Accounts
from auth.migrations import migrate
from auth.passwords import Passwords
from auth.repository import UserStore
from embedded import ports
from embedded.suite_process import SuiteProcess
from muster.database import open_database
from tests.unit.auth.suite import Clock, PlainHasher, new_user


def start(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded"],
        env={**os.environ, "MUSTER_HOME": str(home), "MUSTER_PORT": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_port_in_use_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with ports.listen(0) as taken:
        port = str(ports.port_of(taken))
        ended = start(tmp_path / "home", MUSTER_PORT=port, MUSTER_ADMIN_PASSWORD="long enough")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"muster: Port {port} is in use")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "http"])
def test_a_port_that_is_none_names_the_variable(port: str, tmp_path: Path) -> None:
    ended = start(tmp_path / "home", MUSTER_PORT=port)
    assert ended.returncode == 2
    assert ended.stderr.startswith("muster: MUSTER_PORT: ")
    assert ended.stderr.count("\n") == 1


def test_a_home_that_can_not_be_made_ends_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = start(tmp_path / "file" / "home")
    assert ended.returncode == 1
    assert "set MUSTER_HOME" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_database_that_can_not_be_used_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "auth.db").mkdir()
    ended = start(tmp_path / "home", MUSTER_AUTH_DATABASE_URL=f"sqlite:///{tmp_path}/auth.db")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "muster: auth-migrations ended with status" in ended.stderr
    assert "unable to open database file" in ended.stderr


# A start of all processes.
@pytest.mark.timeout(300)
def test_a_database_that_has_an_administrator_already_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.db"
    with closing(open_database(url)) as database:
        migrate(database)
        accounts = Accounts(UserStore(database), Passwords(PlainHasher()), 3600, Clock())
        accounts.add(new_user("admin@example.com", "users:admin"))
    # Every process finds it in the file, and the supervisor the password.
    files = {"MUSTER_AUTH_DATABASE_URL": url, "MUSTER_ADMIN_PASSWORD": "Tr0ub4dor & 3 horses"}
    for name, value in files.items():
        (tmp_path / name).write_text(f"{value}\n")
    with SuiteProcess(tmp_path / "home", {f"{name}_FILE": str(tmp_path / name) for name in files}):
        said = (tmp_path / "home.stderr").read_text()
    assert "There is an administrator already; nothing is changed" in said
    assert not (tmp_path / "home" / "admin-password").exists()


def test_a_database_of_an_unknown_kind_ends_the_start_with_one_line(tmp_path: Path) -> None:
    ended = start(tmp_path / "home", MUSTER_AUTH_DATABASE_URL="oracle://nowhere")
    assert ended.returncode == 1
    assert "'oracle'; known are sqlite://" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_help_names_every_variable() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "embedded", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("HOME", "PORT", "ADMIN_EMAIL", "ADMIN_PASSWORD", "START_SECONDS", "STOP_SECONDS"):
        assert f"MUSTER_{name}" in said
