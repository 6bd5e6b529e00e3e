"""How a child process comes to be: by executing its command, or by a fork of what has it."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from embedded import lifeline


class Process(Protocol):
    """A child of this process."""

    @property
    def pid(self) -> int:
        """Its id."""

    def wait(self) -> int:
        """Wait for its end; returns its exit status, minus the signal's number if by one."""


class Launcher(Protocol):
    """What starts processes: in a session of their own, and to end with this process."""

    def prepare(self) -> bool:
        """Whether a process can be started now; if not, see to it that one can be soon."""

    def launch(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        inherited: socket.socket | None,
    ) -> Process:
        """Start `command`, a Python and `-m` and a module, with its output to `output`.

        `environment` is all that it gets, `inherited` keeps its number. Raises OSError where there
        is no room for a process.
        """


class Execute:
    """A new Python for each process: wherever Muster runs, but it imports everything again."""

    def prepare(self) -> bool:
        """See Launcher.prepare."""
        return True

    def launch(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        inherited: socket.socket | None,
    ) -> Process:
        """See Launcher.launch; `command` may be any."""
        return subprocess.Popen(
            lifeline.command(signal.SIGKILL, command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=() if inherited is None else (inherited.fileno(),),
        )


class Forked:
    """A process that another one has forked for this one, and whose parent this one is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        """See Process.wait."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
