"""The key of tokens is replaced under traffic, in the three steps of docs/rotation.md."""

import os
import signal
import subprocess
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import jwt
import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN
from tests.e2e.families import embedded_family
from tests.e2e.patient import admin_of
from tests.e2e.threads import in_threads
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

CALLERS = 2
# Logins after each step.
EACH = 30


class Users:
    """Threads that log in and ask who they are; one of them keeps its first token."""

    def __init__(self, suite: SuiteProcess) -> None:
        self._suite = suite
        self._stop = threading.Event()
        self.keys: list[str] = []
        self.failed: list[str] = []

    def logging_in(self) -> AbstractContextManager[None]:
        return in_threads([self._repeat] * CALLERS, self._stop)

    def _repeat(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self.keys.append(self._log_in())
            except requests.RequestException as error:
                text = "" if error.response is None else error.response.text
                self.failed.append(f"{error!r} {text}")

    def _log_in(self) -> str:
        """The id of the key that signed."""
        with Client(self._suite.url, ADMIN, self._suite.admin_password()) as client:
            token = str(client.session.headers["Authorization"]).removeprefix("Bearer ")
            client.session.get(f"{client.url}/v1/me", timeout=120).raise_for_status()
            return str(jwt.get_unverified_header(token)["kid"])


def restart_auth(suite: SuiteProcess) -> None:
    """By the signal that asks it to stop: calls wait at its port, which the supervisor holds."""
    before = suite.pid("auth")
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: suite.has_restarted("auth", before))


def new_key() -> str:
    command = ["openssl", "genpkey", "-algorithm", "ed25519"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_nobody_is_turned_away_while_the_key_of_tokens_is_replaced(tmp_path: Path) -> None:
    with embedded_family(tmp_path).run() as suite, admin_of(suite) as early:
        file = next(suite.home.rglob("signing-key.pem"))
        old, new = file.read_text(), new_key()
        users = Users(suite)
        with users.logging_in():
            for content in (old + new, new + old):
                file.write_text(content)
                restart_auth(suite)
                seen = len(users.keys)
                wait_until(lambda: len(users.keys) > seen + EACH)  # noqa: B023
            assert early.uploads() == []
        print(f"{len(users.keys)} logins, {len(users.failed)} failed: {users.failed[:3]}")
        assert len(set(users.keys)) == 2
        assert users.failed == []
        file.write_text(new)
        restart_auth(suite)
        with admin_of(suite), pytest.raises(requests.HTTPError, match="401"):
            wait_until(lambda: early.add_user("x@example.com", "wobble-batch-77", []))
