"""A process that starts and ends quickly: its main module imports this one first.

The modules of a process are some 300,000 objects that stay. Python looks through them for garbage
again and again while they are made, and once more as the process ends: a third of both.
"""

import gc

_USUAL = gc.get_threshold()
_WHILE_IMPORTING = (100_000, *_USUAL[1:])


def begin() -> None:
    """Collect garbage rarely until complete()."""
    gc.set_threshold(*_WHILE_IMPORTING)


def complete() -> None:
    """Take what there is now for no garbage ever, and collect what comes after it as usual."""
    if gc.get_threshold() == _WHILE_IMPORTING:
        gc.freeze()
        gc.set_threshold(*_USUAL)


begin()
