"""A process that starts and ends quickly: its main module imports this one first.

The modules of a process are some 300,000 objects that stay. Python looks through them for garbage
again and again while they are made, and once more as the process ends: a third of both.

And where the command `muster` is installed there is rich, which structlog imports for its
tracebacks if it finds it, and pygments, which Mako does: 6 MB and a second of a busy machine.
"""

import gc
import sys

_USUAL = gc.get_threshold()
_WHILE_IMPORTING = (100_000, *_USUAL[1:])
_UNUSED = ("pygments", "rich")


def begin() -> None:
    """Collect garbage rarely until complete(), and have nothing import what no service uses."""
    gc.set_threshold(*_WHILE_IMPORTING)
    for name in _UNUSED:
        # Until then an import of it fails.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def complete() -> None:
    """Take what there is now for no garbage ever, and collect what comes after it as usual."""
    if gc.get_threshold() == _WHILE_IMPORTING:
        gc.freeze()
        gc.set_threshold(*_USUAL)
        for name in _UNUSED:
            if sys.modules.get(name, sys) is None:
                del sys.modules[name]


begin()
