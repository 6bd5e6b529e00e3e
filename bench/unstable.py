"""Debian unstable in roots of their own, for servers that are newer than the machine's.

It needs root on Debian.
"""

from tools.compat import commands
from tools.compat.platforms import System
from tools.compat.root import Root, Roots

_UNSTABLE = System("unstable", "Debian unstable", "sid")
_DIRECTORY = commands.ROOT / ".servers"


def find_root(name: str) -> Root | None:
    """The root of that name, if it was made once."""
    return Roots(_DIRECTORY, "").find(name)


def root_with(name: str, package: str) -> Root:
    """The same, made now if it was not, with Debian's package in it."""
    if (there := find_root(name)) is not None:
        return there
    root = Roots(_DIRECTORY, "").make(name, _UNSTABLE)
    root.install(package)
    return root
