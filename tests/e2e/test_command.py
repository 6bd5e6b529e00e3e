"""The command does the main job, against a suite."""

from pathlib import Path

import pytest

from embedded.suite_process import SuiteProcess
from tests.e2e.command import Command
from tests.e2e.conftest import ADMIN, PATIENTLY

PASSWORD = "correct horse battery staple"

pytestmark = pytest.mark.parametrize(
    "suite",
    [pytest.param("embedded", marks=[pytest.mark.xdist_group("embedded"), PATIENTLY])],
    indirect=True,
)


@pytest.fixture
def muster(suite: SuiteProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command, logged in as the administrator."""
    command = Command(monkeypatch, tmp_path)
    password = f"{suite.admin_password()}\n".encode()
    ran = command("login", suite.url, "--email", ADMIN, "--password-stdin", stdin=password)
    assert ran.status == 0, ran.err
    return command


def test_it_does_the_main_job(muster: Command, tmp_path: Path) -> None:
    hires, departments = tmp_path / "hired_employees.csv", tmp_path / "departments.csv"
    hires.write_text("7101,Ann,2031-01-02T00:00:00Z,7101,7101\n7102,Bo,,7101,7101\n")
    departments.write_text("7101,Command\n")
    jobs = ("upload", "-", "--table", "jobs", "--wait", "--json")
    assert [each["rows"]["read"] for each in muster(*jobs, stdin=b"7101,Typist").results] == [1]

    sent = muster("upload", hires, departments, "--wait", "--json")
    assert [each["table"] for each in sent.results] == ["departments", "hired_employees"]
    assert (sent.status, sent.results[1]["rows"]["rejected"]) == (1, 1)
    assert muster("rejects", "-o", tmp_path / "rejects.csv").status == 0
    rejects = (tmp_path / "rejects.csv").read_text()
    assert muster("rejects", sent.results[1]["id"]).out == rejects
    (tmp_path / "rejects.csv").write_text(rejects.replace("Bo,,", "Bo,2031-05-01T00:00:00Z,"))
    fixed = muster("fix", "last", tmp_path / "rejects.csv", "--wait", "--json")
    assert (fixed.status, fixed.results[0]["previous"]) == (0, sent.results[1]["id"])
    assert "Command,Typist,1,1,0,0" in muster("ask", "hires-by-quarter", "2031").out

    assert muster("undo", "last", "--wait").out.rstrip().endswith("completed: 1 written, 1 removed")
    assert muster("status", fixed.results[0]["id"], "--json").results[0]["is_undone"]
    assert muster("watch", sent.results[0]["id"]).status == 0
    assert "jobs\tid, job\t\n" in muster("tables").out
    newest = muster("status", "--limit", "1").out.split("\t")
    assert newest[2:5] == ["rejects.csv", "hired_employees", "completed"]


def test_it_loads_what_a_dry_run_checked(muster: Command) -> None:
    dry_run = ("upload", "-", "--table", "jobs", "--dry-run", "--wait", "--json")
    checked = muster(*dry_run, stdin=b"7301,Checked\n").results[0]
    loaded = muster("load", "last", "--wait", "--json")
    assert (loaded.status, loaded.results[0]["loads"]) == (0, checked["id"]), loaded.err
    assert loaded.results[0]["rows"]["inserted"] == 1
    assert loaded.results[0]["sha256"] == checked["sha256"]
    again = muster("load", loaded.results[0]["id"])
    assert (again.status, again.out) == (3, "")


def test_its_status_says_how_it_went(muster: Command, tmp_path: Path) -> None:
    bad = tmp_path / "jobs.csv"
    bad.write_text("x,Nobody\n7201,Somebody\n")
    failed = muster("upload", bad, "--wait", "--max-rejects", "0", "--header", "absent")
    assert (failed.status, "too-many-rejects" in failed.out) == (2, True)
    refused = muster("upload", bad, "--table", "nothing")
    assert (refused.status, refused.err.startswith("muster: ")) == (3, True)
    assert muster("status", "0" * 32).err == "muster: There is no such upload.\n"
    assert muster("upload", bad, "--misspelt").status == 64
    both = muster("upload", bad, "README.md")
    assert (both.status, "README.md is called after no table" in both.err) == (3, True)
    assert muster("status", "--profile", "nobody").status == 3
    gone = muster("upload", bad, "--retry", "0", "--profile", "nobody")
    assert "muster login URL" in gone.err


def test_it_manages_users_and_never_keeps_a_password(muster: Command, tmp_path: Path) -> None:
    permissions = ("--permission", "uploads:write", "--permission", "uploads:read")
    password = f"{PASSWORD}\n".encode()
    email = "command@example.com"
    added = muster("users", "add", email, *permissions, "--password-stdin", stdin=password)
    assert (added.status, email in added.out) == (0, True), added.err
    url = muster("whoami").out.split()[2].rstrip(":")
    login = ("login", url, "--profile", "other", "--email", email, "--password-stdin")
    assert muster(*login, stdin=b"wrong password\n").status == 3
    assert muster(*login, stdin=password).status == 0
    kept = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert [each.name for each in kept] == ["profiles.json"]
    assert (kept[0].stat().st_mode & 0o777, PASSWORD in kept[0].read_text()) == (0o600, False)

    invited = muster("users", "invite", "invited@example.com", "--permission", "uploads:read")
    assert invited.out.startswith("invited@example.com is invited until "), invited.err
    other = muster("users", "list", "--profile", "other")
    assert (other.status, "users:admin" in other.err) == (3, True)
    assert muster("users", "change", email, "--disable").out.count("(disabled)") == 1
    assert muster(*login, stdin=password).status == 3
    assert muster("users", "remove", email).status == 0
    assert muster("logout").status == 0
    assert "muster login" in muster("whoami").err
