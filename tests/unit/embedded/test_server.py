"""A service's worker without an arbiter."""

import os
import subprocess
import sys


def test_a_worker_whose_loop_stands_still_ends_and_says_where() -> None:
    app = "tests.unit.embedded.standing_still"
    ended = subprocess.run(
        [sys.executable, "-m", app, f"{app}:create_app()"],
        env={**os.environ, "MUSTER_BIND": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 1
    assert "Timeout (0:00:01)!" in ended.stderr
    assert "in stand_still" in ended.stderr
