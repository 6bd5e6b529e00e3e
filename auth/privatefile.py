"""Secrets kept in files that nobody else can read."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from muster.adapters import ConfigurationError

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
            _create(path, make())
        return _read(path)
    except OSError as error:
        raise ConfigurationError(f"The secret in {path} can't be used: {error}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _FORBIDDEN:
            raise ConfigurationError(f"Others have access to {path}; run chmod 600 on it.")
        return file.read()


def _create(path: Path, content: bytes) -> None:
    # The name appears with all of its content, or not at all; mkstemp is O_EXCL with mode 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _link(temporary, path)
    finally:
        temporary.unlink()


def _link(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
