"""Runs a command that ends when its parent does: `python -m embedded.lifeline SIGNAL PID COMMAND…`.

A supervisor that is killed with SIGKILL can't stop its children; without this they would go on and
hold its ports.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_WATCH_SECONDS = 0.2


def command(ending: signal.Signals, argv: Sequence[str]) -> list[str]:
    """What runs `argv` as a child of this process, to be sent `ending` when this one dies."""
    return [sys.executable, "-m", "embedded.lifeline", ending.name, str(os.getpid()), *argv]


def die_with_parent(ending: signal.Signals) -> None:
    """Have the Linux kernel send this process `ending` when its parent dies; see prctl(2).

    The setting outlives exec but not fork. Elsewhere than on Linux nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, ending)


def adopt_orphans(adopt: bool = True, /) -> None:
    """Have the Linux kernel make this process the parent of those below it whose parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt))


def watch(ending: signal.Signals, parent: int, argv: Sequence[str]) -> int:
    """Run `argv` and pass SIGTERM on to it; send it `ending` once `parent` is gone.

    For systems whose kernel can't do that. Returns the exit status.
    """
    child = subprocess.Popen(argv, close_fds=False)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    while child.poll() is None:
        if os.getppid() != parent:
            child.send_signal(ending)
            return child.wait()
        time.sleep(_WATCH_SECONDS)
    return child.returncode


def main(ending_name: str, parent_id: str, *argv: str) -> None:
    """Become `argv`, or run it under watch."""
    ending, parent = signal.Signals[ending_name], int(parent_id)
    if sys.platform != "linux":
        sys.exit(watch(ending, parent, argv))
    die_with_parent(ending)
    # The parent may have died before the kernel was asked.
    if os.getppid() == parent:
        os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
