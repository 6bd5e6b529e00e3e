"""Each status with which the command ends, as its help lists them."""

import json
import os
import re
import signal
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from muster_client.command.exits import EPILOG
from tests.e2e.command import Command
from tests.servers.http import serving
from tests.unit.client.script import ME, Answer, problem, serving_script


def upload(state: str, **rows: int) -> Answer:
    document = {
        **{"id": "1", "table": "jobs", "filename": "jobs.csv", "size": 1, "sha256": ""},
        **{"submitted_by": "ana@example.com", "submitted_at": "2026-01-01T00:00:00Z"},
        **{"state": state, "rows": rows},
    }
    return 200, {}, json.dumps(document).encode()


def command_at(url: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> Command:
    """The command, with an access key of the suite at the URL."""
    command = Command(monkeypatch, home)
    monkeypatch.setenv("MUSTER_URL", url)
    monkeypatch.setenv("MUSTER_ACCESS_KEY", "key")
    return command


class Interrupting(BaseHTTPRequestHandler):
    """Interrupts whoever asks while they wait for the answer."""

    def do_GET(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


CUT = None
DONE: Answer = (200, {}, ME)
WHOAMI, STATUS, UNDO = ("whoami", "--retry", "0"), ("status", "1"), ("undo", "1")
Case = tuple[int, tuple[str, ...], list[Answer | None]]
CASES: dict[str, Case] = {
    "answered": (0, WHOAMI, [DONE]),
    "help": (0, ("users", "remove", "--help"), []),
    "accepted": (0, STATUS, [upload("queued")]),
    "loaded": (0, ("load", "1"), [upload("validated", rejected=0), upload("completed")]),
    "rejects": (1, STATUS, [upload("completed_with_rejects", rejected=1)]),
    "kept by an undo": (1, UNDO, [upload("completed"), upload("completed", kept=2)]),
    "blocked for an undo": (1, UNDO, [upload("completed"), upload("completed", blocked=1)]),
    "failed": (2, STATUS, [upload("failed")]),
    "cancelled": (2, ("watch", "1"), [upload("queued"), upload("cancelled")]),
    "the worst of two": (
        2,
        ("watch", "1", "2"),
        [*[upload("failed")] * 2, *[upload("completed")] * 2],
    ),
    "not allowed": (3, WHOAMI, [problem(403, "forbidden")]),
    "logged out": (3, WHOAMI, [problem(401, "unauthorized")]),
    "not found": (3, STATUS, [problem(404, "not-found")]),
    "in conflict": (3, ("load", "1"), [upload("completed"), problem(409, "not-a-dry-run")]),
    "not Muster": (3, WHOAMI, [(200, {}, b"<html>")]),
    "nobody": (3, ("users", "remove", "bo@example.com"), [(200, {}, b'{"users":[]}')]),
    "cut off": (4, WHOAMI, [CUT]),
    "timed out": (4, WHOAMI, [problem(408, "timeout")]),
    "too many": (4, WHOAMI, [problem(429, "too-many-uploads")]),
    "away": (4, WHOAMI, [problem(503, "unavailable")]),
    "a proxy without a suite": (4, WHOAMI, [(502, {}, b"<html>")]),
    "in flight": (4, WHOAMI, [problem(409, "idempotency-key-in-flight")]),
    "misspelt": (64, ("status", "--misspelt"), []),
    "no such command": (64, ("statsu",), []),
    "an argument left out": (64, ("keys", "revoke"), []),
    "nothing to change": (64, ("users", "change", "bo@example.com"), []),
    "nothing to read": (64, ("users", "add", "bo@example.com", "--password-stdin"), []),
}


@pytest.mark.parametrize(("status", "arguments", "answers"), CASES.values(), ids=CASES)
def test_how_it_went_is_its_status(
    status: int,
    arguments: tuple[str, ...],
    answers: list[Answer | None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with serving_script(answers) as (url, _):
        ran = command_at(url, monkeypatch, tmp_path)(*arguments)
    assert ran.status == status, ran.err
    # What went wrong is said, and never among the results.
    assert bool(ran.err) == (status >= 3)
    assert bool(ran.out) == (status < 3)


def test_ctrl_c_interrupts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Where tests run side by side, their processes ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serving(Interrupting) as port:
            ran = command_at(f"http://127.0.0.1:{port}", monkeypatch, tmp_path)("whoami")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ran.status, ran.out) == (130, "")


def test_each_status_of_the_help_is_seen() -> None:
    listed = {int(each) for each in re.findall(r"^ +(\d+)  ", EPILOG, re.MULTILINE)}
    assert {status for status, _, _ in CASES.values()} | {130} == listed
