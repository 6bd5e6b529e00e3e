"""Giving way: work that nobody waits for leaves the processor to work that somebody does."""

import os
from contextlib import suppress
from pathlib import Path

_NICENESS = 5
# Where it is on, Linux weighs whole sessions, and a process only among those of its own: sched(7).
_AUTOGROUP = Path("/proc/self/autogroup")


def give_way() -> None:
    """Have this process get a third of what others get of a processor that all of them want.

    Only once it is ready: a process that starts is waited for. In a container it gives way to what
    else runs there, and so to nobody.
    """
    with suppress(OSError):
        os.nice(_NICENESS)
        # Those who share the session of somebody else are not asked.
        if os.getsid(0) == os.getpid():
            _AUTOGROUP.write_text(str(_NICENESS), encoding="ascii")
