"""What backup and restore have in common: commands on a copy, room on the disk, telling errors."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from embedded.errors import BackupError
from embedded.layout import Layout
from embedded.terminal import Style, Terminal
from muster.adapters import ConfigurationError
from muster.weather import Unavailable

_INTERRUPTED = 130
# A file takes whole blocks, and the queue and its log grow.
_SPARE_BYTES = 32 * 1024**2


def run_command(layout: Layout, module: str, *arguments: str) -> str:
    """What a service's command prints that works on the data directory. Raises BackupError."""
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **layout.environment(), "MUSTER_LOG_LEVEL": "ERROR"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        reason = ran.stderr.strip().rpartition("\n")[2]
        raise BackupError(f"python -m {module} on {layout.home} failed: {reason}")
    return ran.stdout


def require_room(place: Path, needed: int) -> None:
    """Raise BackupError where the disk of `place` has not that many bytes left, and some more."""
    needed += _SPARE_BYTES
    free = shutil.disk_usage(place).free
    if free < needed:
        raise BackupError(
            f"The disk of {place.parent} has {megabytes(free)} left, and {megabytes(needed)} are "
            "needed: make room, or name a directory elsewhere."
        )


def megabytes(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 1e6:,.1f} MB"


def reported(screen: Terminal, work: Callable[[], None]) -> int:
    """Do the work; returns the exit status, having told on the screen what kept it from its end."""
    try:
        work()
    except (BackupError, ConfigurationError, Unavailable, sqlite3.Error) as error:
        return _complain(screen, str(error))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _complain(screen, "The disk became full: make room, and begin again.")
        return _complain(screen, str(error))
    except KeyboardInterrupt:
        return _complain(screen, "Interrupted: nothing is left of it.", _INTERRUPTED)
    return 0


def _complain(screen: Terminal, text: str, status: int = 1) -> int:
    screen.say(f"muster: {text}", Style.BAD)
    return status


def directory(text: str) -> Path:
    """An argument that names a directory. Raises ArgumentTypeError where it is blank."""
    if not text.strip():
        raise ArgumentTypeError("name one: make backup TO=directory, make restore FROM=directory")
    return Path(text)
