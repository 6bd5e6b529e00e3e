"""`python -m embedded.restore DIRECTORY`: a data directory from a backup, each file checked."""

from muster import startup

# isort: split
import argparse
import fcntl
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from embedded.adapters import BackendSettings
from embedded.copying import directory, megabytes, reported, require_room, run_command
from embedded.errors import BackupError
from embedded.layout import Layout
from embedded.manifest import HOME, Entry, Totals, copy_checked, entries, read_totals
from embedded.terminal import Style, Terminal
from embedded.whole_directory import whole_directory
from muster.settings import read_settings


def restore(
    layout: Layout, backup: Path, screen: Terminal, tombstones: Path | None = None
) -> Totals:
    """Make the data directory anew from `backup`; returns what it then holds.

    With a file of `tombstones`, of a later backup, what was erased since is erased again once the
    suite runs. Raises BackupError, and OSError.
    """
    _require_stopped(layout)
    totals = read_totals(backup)
    with whole_directory(layout.home) as home:
        require_room(home, totals.bytes)
        screen.say(f"Copying {totals.files} files, and checking each …", Style.STEP)
        for number, entry in enumerate(entries(backup, totals), start=1):
            _restore_file(backup, entry, home)
            screen.show(f"  {number} of {totals.files} files")
        if tombstones is not None:
            screen.say("Asking for what was erased since to be erased again …", Style.STEP)
            said = _erase_again(layout.moved(home), tombstones)
            screen.say(f"  {said}")
    return totals


def _restore_file(backup: Path, entry: Entry, home: Path) -> None:
    top, _, path = entry.path.partition("/")
    if top != HOME:
        copy_checked(backup, entry, lambda _: None)
        return
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(0o600)
    with target.open("wb") as file:
        copy_checked(backup, entry, file.write)
    times = (backup / entry.path).stat()
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _erase_again(layout: Layout, tombstones: Path) -> str:
    if not tombstones.is_file():
        raise BackupError(f"There is no file {tombstones}.")
    # The backup may be of a version that had no tombstones.
    run_command(layout, "dbuploader.migrations")
    return run_command(
        layout, "dbuploader.journal.replay_erasures", str(tombstones.absolute())
    ).strip()


def _require_stopped(layout: Layout) -> None:
    """Raise BackupError while a suite runs on the data directory."""
    try:
        with (layout.home / "run" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise BackupError(f"A muster runs on {layout.home}: stop it first.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Restore the backup; returns the exit status."""
    startup.complete()
    options = _parser().parse_args(arguments)
    screen = Terminal(sys.stderr)
    work = partial(_restore_and_tell, options.directory, options.erasures, screen)
    return reported(screen, work)


def _restore_and_tell(backup: Path, tombstones: Path | None, screen: Terminal) -> None:
    begun = time.monotonic()
    layout = Layout.of(read_settings(BackendSettings, "muster"))
    totals = restore(layout, backup, screen, tombstones)
    Terminal(sys.stdout).say(
        f"{layout.home} has {totals.uploads} uploads, as of {totals.taken_at}: {totals.files} "
        f"files, {megabytes(totals.bytes)}, in {time.monotonic() - begun:.1f} s. Start the suite.",
        Style.GOOD,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m embedded.restore",
        description="Make MUSTER_HOME, which must be absent or empty, anew from a backup.",
    )
    parser.add_argument("directory", type=directory, help="the backup")
    parser.add_argument(
        "--erasures",
        type=Path,
        metavar="FILE",
        help="tombstones.jsonl of a later backup: erase again what was erased until then",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
