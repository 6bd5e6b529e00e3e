"""What a backup holds, by `manifest.jsonl`: each file with its size and its SHA-256.

A JSON object a line, and a last one with their sums, so that a list which was cut is seen. Neither
writing nor reading it takes memory for all of them.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

from embedded.errors import BackupError
from muster.contracts.strict_json import Unreadable, read_json

NAME = "manifest.jsonl"
HOME = "home"
TOMBSTONES = "tombstones.jsonl"
_FORMAT = 1
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """One file: its path below the backup, its bytes and their SHA-256, in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Totals:
    """The last line: when the databases were as they are copied, and how much there is of all."""

    taken_at: str
    uploads: int
    files: int = 0
    bytes: int = 0
    format: int = _FORMAT


_ENTRY = TypeAdapter(Entry)
_TOTALS = TypeAdapter(Totals)


def write_manifest(backup: Path, taken_at: str, uploads: int) -> Totals:
    """List all that `backup` holds, as it can be read now; returns the sums. Raises OSError."""
    files = size = 0
    with (backup / NAME).open("w", encoding="ascii") as manifest:
        for path in _files(backup):
            entry = _entry(backup, path)
            manifest.write(json.dumps(asdict(entry)) + "\n")
            files, size = files + 1, size + entry.size
        totals = Totals(taken_at, uploads, files, size)
        manifest.write(json.dumps(asdict(totals)) + "\n")
    return totals


def read_totals(backup: Path) -> Totals:
    """The last line of its manifest. Raises BackupError where there is none that can be read."""
    try:
        with (backup / NAME).open("rb") as manifest:
            manifest.seek(max(0, (backup / NAME).stat().st_size - 4096))
            last = manifest.read().splitlines()[-1:]
        totals = read_json(_TOTALS, last[0] if last else b"")
    except (OSError, Unreadable) as error:
        raise BackupError(
            f"{backup} is no whole backup: its {NAME} can't be read to its end ({error})."
        ) from error
    if totals.format != _FORMAT:
        raise BackupError(f"{backup} is of another version of Muster: restore it with that.")
    return totals


def entries(backup: Path, totals: Totals) -> Iterator[Entry]:
    """All files that it lists, of which there must be as many as its end says."""
    files = size = 0
    with (backup / NAME).open("rb") as manifest:
        for line in manifest:
            if files == totals.files:
                break
            try:
                entry = read_json(_ENTRY, line)
            except Unreadable as error:
                raise BackupError(f"{NAME} of {backup}, line {files + 1}: {error}") from error
            path = PurePosixPath(entry.path)
            if path.is_absolute() or ".." in path.parts:
                raise BackupError(f"{NAME} of {backup} names {entry.path}, which is not in it.")
            yield entry
            files, size = files + 1, size + entry.size
    if (files, size) != (totals.files, totals.bytes):
        raise BackupError(f"{NAME} of {backup} lists other files than its end says.")


def copy_checked(backup: Path, entry: Entry, write: Callable[[bytes], object]) -> None:
    """Write the content of the file, which must be what was listed. Raises BackupError."""
    digest, size = hashlib.sha256(), 0
    try:
        with (backup / entry.path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
                write(block)
    except FileNotFoundError:
        raise BackupError(f"{backup / entry.path} is missing: the backup is damaged.") from None
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        raise BackupError(
            f"{backup / entry.path} is not what was backed up ({size} bytes, {entry.size} "
            "expected, or another SHA-256): the backup is damaged."
        )


def _files(backup: Path) -> Iterator[Path]:
    yield backup / TOMBSTONES
    for folder, _, names in os.walk(backup / HOME):
        yield from (Path(folder) / name for name in names)


def _entry(backup: Path, path: Path) -> Entry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        size = file.tell()
    return Entry(path.relative_to(backup).as_posix(), size, digest.hexdigest())
