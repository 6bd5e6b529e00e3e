"""`python -m embedded.backup DIRECTORY`: a copy of all that a suite keeps, while it runs.

docs/backup.md says why the copy is one from which everything goes on.
"""

from muster import startup

# isort: split
import argparse
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from embedded.adapters import BackendSettings
from embedded.copying import directory, megabytes, reported, require_room, run_command
from embedded.errors import BackupError
from embedded.layout import Layout
from embedded.manifest import HOME, TOMBSTONES, Totals, write_manifest
from embedded.snapshots import snapshots
from embedded.terminal import Style, Terminal
from embedded.whole_directory import whole_directory
from muster.backends.atomic_file import replace_file
from muster.contracts.uploads import Upload
from muster.filestore import FileNotStored
from muster.settings import read_settings
from muster.stores import Stores, open_stores
from muster.uploadstore.pages import upload_pages
from muster.weather import FileDamaged

_PAGE = 500
_TAKES = 5
_NAMED = 3
_LOG = "MUSTER_LOG_FILE"
_NO_FILE = {"file-missing", "file-damaged"}


@dataclass(frozen=True)
class Made:
    """What a backup holds, and which files its records name that were not there to be copied."""

    totals: Totals
    lost: frozenset[str]


def back_up(layout: Layout, target: Path, screen: Terminal) -> Made:
    """Make the backup `target` of the data directory. Raises BackupError, OSError, sqlite3.Error.

    What was accepted before this was called is in it.
    """
    if target.absolute().is_relative_to(layout.home):
        raise BackupError(f"{target} is in {layout.home} itself: name another directory.")
    with whole_directory(target) as backup:
        require_room(backup, _bytes_of(layout))
        copy = layout.moved(backup / HOME)
        taken_at, lost = _Copying(layout, copy, screen).run()
        screen.say("Queueing again what is not done, and noting the erasures …", Style.STEP)
        run_command(copy, "gateway.republish")
        tombstones = run_command(copy, "dbuploader.journal.replay_erasures")
        replace_file(backup / TOMBSTONES, tombstones.encode(), 0o600)
        screen.say("Listing it all with its SHA-256 …", Style.STEP)
        return Made(write_manifest(backup, taken_at, _count_uploads(copy)), lost)


@dataclass(frozen=True)
class _Copying:
    layout: Layout
    copy: Layout
    screen: Terminal

    def run(self) -> tuple[str, frozenset[str]]:
        """Copy the files, then the databases and what came to the files meanwhile.

        Returns as of when, and the names of lost files. A file that was removed between the two is
        in neither. Then all is copied again, as it is after that.
        """
        self.screen.say("Copying the files …", Style.STEP)
        self._copy_tree(self.layout.files)
        before: frozenset[str] | None = None
        for _ in range(_TAKES):
            self.screen.say("Copying the databases …", Style.STEP)
            taken_at = self._copy_databases()
            self._copy_tree(self.layout.home)
            self._drop_removed()
            lost = frozenset(_lost(self.copy))
            if not lost or lost == before:
                return taken_at, lost
            before = lost
        raise BackupError("Files are removed faster than they can be copied: try again later.")

    def _copy_databases(self) -> str:
        for path in self.copy.databases:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
        with snapshots(self.layout.databases) as taken:
            taken_at = datetime.now(UTC).isoformat(timespec="seconds")
            taken.copy(self._target_of, self._show_pages)
        return taken_at

    def _copy_tree(self, top: Path) -> None:
        """Copy the files below `top` that are not there yet, or have changed; no database."""
        for number, path in enumerate(_files(self.layout, top), start=1):
            # What is removed at the moment is looked for again once all is copied.
            with suppress(FileNotFoundError):
                _copy_file(path, self._target_of(path))
            self.screen.show(f"  {number} files")

    def _drop_removed(self) -> None:
        """Remove copies of files that are gone, and that the records no longer name either."""
        gone = (
            path.name
            for path in _files(self.copy, self.copy.files)
            if not (self.layout.home / path.relative_to(self.copy.home)).exists()
        )
        with closing(_stores(self.copy)) as stores:
            while batch := list(islice(gone, _PAGE)):
                for name in stores.uploads.unnamed(batch):
                    stores.files.delete(name)

    def _target_of(self, path: Path) -> Path:
        return self.copy.home / path.relative_to(self.layout.home)

    def _show_pages(self, path: Path, pages: int, total: int) -> None:
        self.screen.show(f"  {path.name}: {100 * pages // max(total, 1)} %")


def _bytes_of(layout: Layout) -> int:
    size = 0
    for path in chain(layout.databases, _files(layout, layout.home)):
        # What is removed at the moment, or a database that is to be complained of later.
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _files(layout: Layout, top: Path) -> Iterator[Path]:
    databases = {*layout.databases}
    beside = {path.with_name(f"{path.name}{end}") for path in databases for end in ("-wal", "-shm")}
    for name, folders, names in os.walk(top, followlinks=True):
        folder = Path(name)
        folders[:] = [each for each in folders if folder / each not in layout.passing]
        for path in (folder / each for each in names):
            passes = path.suffix in {".part", ".probe", ".lock"}
            if not passes and path not in databases | beside and path.is_file():
                yield path


def _copy_file(path: Path, target: Path) -> None:
    if target.exists() and _version(path) == _version(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(0o600)
    times = path.stat()
    shutil.copyfile(path, target)
    # The sweep goes by when a file was written.
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _version(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _lost(copy: Layout) -> Iterator[str]:
    """The names of files that records of the copy name, and that are not in it."""
    with closing(_stores(copy)) as stores:
        for upload in chain.from_iterable(upload_pages(stores.uploads, _PAGE)):
            for name, open_file in _named(stores, upload):
                try:
                    open_file().close()
                except (FileNotStored, FileDamaged):
                    yield name


def _named(stores: Stores, upload: Upload) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """The files that the record names, and how each is opened."""
    if upload.files_removed is not None:
        return
    failed = upload.error.code if upload.error else None
    if upload.kind == "upload" and failed not in _NO_FILE:
        yield upload.id, partial(stores.open_file, upload)
    if upload.state.is_final and upload.rejects is not None:
        yield upload.rejects_name, partial(stores.files.open, upload.rejects_name)


def _stores(copy: Layout) -> Stores:
    urls = copy.urls
    return open_stores(urls["csv_store_url"], urls.get("file_store_url", ""))


def _count_uploads(copy: Layout) -> int:
    with closing(sqlite3.connect(copy.records)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM uploads")
    return int(count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the backup; returns the exit status."""
    startup.complete()
    options = _parser().parse_args(arguments)
    screen = Terminal(sys.stderr)
    return reported(screen, partial(_back_up_and_tell, options.directory, screen))


def _back_up_and_tell(target: Path, screen: Terminal) -> None:
    begun = time.monotonic()
    layout = Layout.of(read_settings(BackendSettings, "muster"))
    made = back_up(layout, target, screen)
    for name in sorted(made.lost)[:_NAMED]:
        screen.say(f"  {name} is lost: a record names it, and it is not in {layout.files}")
    for name in _secrets_elsewhere(layout):
        screen.say(f"  not in it: the file that {name} names; keep a copy of that, too")
    totals = made.totals
    Terminal(sys.stdout).say(
        f"{target} has {totals.uploads} uploads as of {totals.taken_at}: {totals.files} files, "
        f"{megabytes(totals.bytes)}, in {time.monotonic() - begun:.1f} s.",
        Style.GOOD,
    )


def _secrets_elsewhere(layout: Layout) -> list[str]:
    """The variables that name files of secrets which are not in the data directory."""
    named = {
        name: Path(value).absolute()
        for name, value in os.environ.items()
        if name.startswith("MUSTER_") and name.endswith("_FILE") and name != _LOG and value
    }
    return sorted(name for name, path in named.items() if not path.is_relative_to(layout.home))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m embedded.backup",
        description="Copy all that the suite on MUSTER_HOME keeps, also while it runs.",
    )
    parser.add_argument("directory", type=directory, help="the backup to make; absent, or empty")
    return parser


if __name__ == "__main__":
    sys.exit(main())
