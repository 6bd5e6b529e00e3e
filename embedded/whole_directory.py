"""A directory that is there whole, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.errors import BackupError
from muster.backends.atomic_file import sync_directory

_MARK = ".unfinished"


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A new directory beside `target`, given that name, durably, once the block ends well.

    If the block raises it is removed; one that a killed process left is removed by the next. Raises
    BackupError when `target` is there and not empty, or another process is about to make it.
    """
    target = target.absolute()
    _require_free(target)
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.mkdir(mode=0o700)
    except FileExistsError:
        if not (part / _MARK).exists():
            raise BackupError(f"{part} is in the way: move it, or remove it.") from None
    mark = part / _MARK
    with mark.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another process is about to make {target}.") from None
        try:
            _empty(part)
            yield part
            _require_free(target)
            mark.unlink()
            os.sync()
            part.rename(target)
            sync_directory(target.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _require_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(
            f"{target} is there already: move it away, as with mv {target} {target}.before, or "
            "name another."
        )


def _empty(part: Path) -> None:
    for entry in part.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _MARK:
            entry.unlink()
