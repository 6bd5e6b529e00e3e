import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.embedded.supervising import is_alive
from tests.waiting import eventually

PARENT = """
import signal, subprocess, sys
from embedded import lifeline
subprocess.Popen(lifeline.command(signal.SIGKILL, [sys.executable, "-c", {child!r}]))
input()
"""
FALLBACK_PARENT = """
import os, signal, subprocess, sys
watcher = (
    "import os, signal, sys; from embedded.lifeline import watch;"
    f"watch(signal.SIGKILL, {os.getpid()}, [sys.executable, '-c', sys.argv[1]])"
)
subprocess.Popen([sys.executable, "-c", watcher, {child!r}])
input()
"""
CHILD = (
    "import os, pathlib, time; pathlib.Path({path!r}).write_text(str(os.getpid())); time.sleep(99)"
)


@pytest.mark.parametrize("parent", [PARENT, FALLBACK_PARENT], ids=["kernel", "watching"])
def test_a_child_ends_when_its_parent_is_killed(parent: str, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = parent.replace("{child!r}", repr(CHILD.format(path=str(pid_file))))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        eventually(lambda: pid_file.exists() and pid_file.read_text())
        child = int(pid_file.read_text())
        assert is_alive(child)
        os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(child))
