"""A process with a setting that can't be used ends with one sentence and no traceback."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

import pytest

WRONG = {
    "MUSTER_BROKER_URL": "kafka://host",
    "MUSTER_CSV_STORE_URL": "kafka://host",
    "MUSTER_SMTP_URL": "kafka://host",
    "MUSTER_BIND": "127.0.0.1:0",
}
SENTENCE = "URL begins with 'kafka'; known are "


def run(*arguments: str, scratch: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **WRONG, "MUSTER_SCRATCH_DIR": str(scratch or gettempdir())},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "program"),
    [
        ("dbuploader.consumer", "dbuploader-consumer"),
        ("notification.consumer", "notification-consumer"),
        ("notification.webhooks", "notification-webhooks"),
        ("gateway.relay", "gateway-relay"),
    ],
)
def test_a_worker_ends_with_the_sentence(module: str, program: str, tmp_path: Path) -> None:
    # Where no other has left anything, of which a consumer that starts would tell.
    ended = run(module, scratch=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{program}: The ")
    assert SENTENCE in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "server", [("gunicorn", "-c", "python:muster.serving"), ("embedded.server",)]
)
def test_a_server_ends_with_the_sentence(server: Sequence[str]) -> None:
    ended = run(*server, "notification.app:create_app()")
    # gunicorn's status for an app that does not load.
    assert ended.returncode == 4
    assert SENTENCE in ended.stderr
    assert "Traceback" not in ended.stderr
