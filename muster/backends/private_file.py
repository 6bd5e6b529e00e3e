"""Files that hold a secret: made once, read by nobody else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from muster.adapters import ConfigurationError
from muster.backends.atomic_file import create_file

_FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP
"""A group may read: Kubernetes mounts a secret for a pod's `fsGroup` so."""


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; where it is absent it gets what `make` returns, with mode 0600.

    Of several processes that start at once, all get what the first one wrote. Raises
    ConfigurationError when others may read the file, or it can't be read or made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            create_file(path, make())
        return _read_private(path)
    except OSError as error:
        raise ConfigurationError(f"The secret in {path} can't be used: {error}") from error


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _FORBIDDEN:
            raise ConfigurationError(f"Others have access to {path}; run chmod 600 on it.")
        return file.read()
