"""A process that gives way gets less of a processor that others want."""

import subprocess
import sys
from pathlib import Path

BEFORE = "import os; print(os.nice(0))"
AFTER = """
import os
from muster.worker.priority import give_way
give_way()
print(os.nice(0))
if os.path.exists("/proc/self/autogroup"):
    print(open("/proc/self/autogroup").read())
"""


def run(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    return subprocess.check_output(command, text=True, start_new_session=True).split()


def test_a_process_gives_way_within_its_session_and_its_session_to_others() -> None:
    [before], [after, *session] = run(BEFORE), run(AFTER)
    assert int(after) == min(int(before) + 5, 19)
    if Path("/proc/self/autogroup").exists():
        assert session[-2:] == ["nice", "5"]
