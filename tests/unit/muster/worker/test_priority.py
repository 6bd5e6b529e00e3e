"""A process that gives way gets less of a processor that others want."""

import subprocess
import sys
from pathlib import Path

import pytest

BEFORE = "import os; print(os.nice(0))"
AFTER = """
import os
from muster.worker.priority import give_way
give_way()
print(os.nice(0))
if os.path.exists("/proc/self/autogroup"):
    print(open("/proc/self/autogroup").read())
"""


def run(program: str, *, leads: bool = True) -> list[str]:
    command = [sys.executable, "-c", program]
    return subprocess.check_output(command, text=True, start_new_session=leads).split()


def test_a_process_gives_way_within_its_session_and_its_session_to_others() -> None:
    [before], [after, *session] = run(BEFORE), run(AFTER)
    assert int(after) == min(int(before) + 5, 19)
    if Path("/proc/self/autogroup").exists():
        assert session[-2:] == ["nice", "5"]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux weighs sessions")
def test_one_that_leads_no_session_has_the_others_of_it_keep_their_share() -> None:
    before = Path("/proc/self/autogroup").read_text("ascii").split()
    assert run(AFTER, leads=False)[1:] == before
