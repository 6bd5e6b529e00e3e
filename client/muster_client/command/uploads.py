"""Sending files and following them: upload, fix, load, status, watch, rejects, undo, cancel."""

import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from muster_client.client import MusterClient, UndoMode
from muster_client.command.exits import DONE, FAILED, CommandError, status_of
from muster_client.command.output import Bar, bar_of, cause_lines, upload_line
from muster_client.command.session import Session, with_session
from muster_client.load_order import in_load_order
from muster_client.models import Upload

R = TypeVar("R")

_STDIN = "-"
_LAST = "last"
_LOOK_SECONDS = 0.5
# What is expected of the whole file is not of some of its rows, nor is the reject file written as
# it was.
_OF_A_FIX = ("mode", "dates", "dry_run")
_LIST_COLUMNS = ("id", "submitted_at", "filename", "table", "state", "rows")
_READABLE = click.Path(exists=True, dir_okay=False, allow_dash=True)
_WAIT = click.option("--wait", is_flag=True, help="Wait until it is done.")
_KEY = click.option(
    "--idempotency-key",
    "key",
    metavar="KEY",
    help="Any text: asked again with the same key, it is not done twice.",
)


def _upload_options(command: Callable[..., R]) -> Callable[..., R]:
    """The options of an upload that the suite has, under their own names."""
    for option in reversed(
        [
            click.option("--table", metavar="NAME", help="The table; else as the file is called."),
            click.option("--dry-run", is_flag=True, default=None, help="Check it, load nothing."),
            click.option(
                "--mode",
                type=click.Choice(["upsert", "insert"]),
                help="With insert, a row whose key is there already is rejected.",
            ),
            click.option(
                "--max-rejects",
                type=click.IntRange(min=0),
                metavar="N",
                help="Load nothing if more rows than N are rejected.",
            ),
            click.option(
                "--expect-rows",
                type=click.IntRange(min=0),
                metavar="N",
                help="Load nothing unless the file has N rows.",
            ),
            click.option(
                "--max-inserted",
                metavar="N|P%",
                help="Load nothing if more rows, or more of the file, would be inserted.",
            ),
            click.option("--max-updated", metavar="N|P%", help="Likewise, updated."),
            click.option(
                "--dates",
                type=click.Choice(["iso", "dmy", "mdy"]),
                help="Whether day or month stands first in dates such as 7/11/2021.",
            ),
            click.option(
                "--header",
                type=click.Choice(["auto", "present", "absent"]),
                help="Whether the first record names the columns.",
            ),
            click.option("--columns", metavar="LABEL:COLUMN,…", help="What the labels mean."),
            click.option("--delimiter", metavar="CHARACTER", help="One of , ; tab pipe."),
            click.option("--encoding", metavar="NAME", help="If it is not UTF-8 or UTF-16."),
            click.option("--sheet", metavar="NAME", help="Which sheet of a workbook."),
        ]
    ):
        command = option(command)
    return command


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=_READABLE)
@_WAIT
@click.option("--filename", metavar="NAME", help="What to call the file, above all for `-`.")
@_KEY
@_upload_options
@with_session
def upload(
    session: Session,
    files: tuple[str, ...],
    wait: bool,
    filename: str | None,
    key: str | None,
    **options: Any,
) -> int:
    """Send files, and load them.

    FILE is CSV or a workbook, also as .gz; `-` is standard input. Several go in the order in which
    their tables refer to each other. With --wait, nothing is sent after a file of which nothing
    was loaded.
    """
    if len(files) > 1 and (filename or key):
        raise click.UsageError("--filename and --idempotency-key are for one FILE.")
    if _STDIN in files and not (filename or options["table"]):
        raise click.UsageError("Say what standard input is for, with --table or --filename.")
    given = {name: value for name, value in options.items() if value is not None}
    with session.client() as client, ExitStack() as stack:
        job = _Job(client, session, wait=wait)
        left = deque(_ordered(files, given, client))
        stack.callback(_tell_left, session, left)
        while left and job.status < FAILED:
            source = _source(left.popleft(), filename, options["table"], stack)
            job.send(source, key=key, **given)
        return job.status


@click.command()
@click.argument("upload", metavar="UPLOAD")
@click.argument("file", type=_READABLE)
@_WAIT
@_KEY
@with_session
def fix(session: Session, upload: str, file: str, wait: bool, key: str | None) -> int:
    """Send the rejected rows of an upload, corrected.

    UPLOAD is its id, or `last`; FILE is what `muster rejects` wrote, with cells corrected. It is
    loaded into the same table, and read in the same way.
    """
    with session.client() as client, ExitStack() as stack:
        before = _found(client, upload)
        asked = before.options or {}
        kept = {name: asked[name] for name in _OF_A_FIX if asked.get(name) is not None}
        job = _Job(client, session, wait=wait)
        source = _source(file, None, before.table, stack)
        return job.send(source, key=key, table=before.table, previous=before.id, **kept)


@click.command()
@click.argument("upload", metavar="UPLOAD")
@_WAIT
@_KEY
@with_session
def load(session: Session, upload: str, wait: bool, key: str | None) -> int:
    """Load what a dry run checked.

    UPLOAD is the id of the dry run, or `last`. Nothing is sent again: the suite has kept the file,
    and reads it as it did. Every row is checked again.
    """
    with session.client() as client:
        loaded = client.load(_found(client, upload).id, key=key)
        return _after(client, session, loaded, wait=wait)


@click.command()
@click.argument("upload", metavar="[UPLOAD]", required=False)
@click.option("--state", metavar="STATE", help="Only those in this state.")
@click.option("--table", metavar="NAME", help="Only those for this table.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, help="How many; 20 if left out.")
@with_session
def status(
    session: Session, upload: str | None, state: str | None, table: str | None, limit: int
) -> int:
    """Show an upload, or the latest ones.

    UPLOAD is its id, or `last`.
    """
    with session.client() as client:
        if upload is None:
            page = client.uploads(limit=limit, state=state, table=table)
            session.output.show_all(page.items, _LIST_COLUMNS)
            return DONE
        return _shown(_found(client, upload), session)


@click.command()
@click.argument("uploads", metavar="UPLOAD…", nargs=-1, required=True)
@with_session
def watch(session: Session, uploads: tuple[str, ...]) -> int:
    """Wait until uploads are loaded, and show them.

    UPLOAD is an id, or `last`.
    """
    with session.client() as client:
        job = _Job(client, session, wait=True)
        for each in uploads:
            job.follow(_found(client, each))
        return job.status


@click.command()
@click.argument("upload", metavar="[UPLOAD]", default=_LAST)
@click.option(
    "-o", "--output", "path", type=click.Path(dir_okay=False), help="Where to; else to the screen."
)
@click.option("--all-errors", is_flag=True, help="As JSON Lines, with every error of each row.")
@click.option(
    "--spreadsheet", is_flag=True, help="So that a spreadsheet takes no cell for a formula."
)
@with_session
def rejects(
    session: Session, upload: str, path: str | None, all_errors: bool, spreadsheet: bool
) -> int:
    """Fetch the rejected rows of an upload.

    They are CSV, to be corrected and sent again with `muster fix`.

    UPLOAD is its id; your latest one if it is left out.
    """
    with session.client() as client:
        found = _found(client, upload)
        with _saved(path) as target:
            client.save_rejects(found.id, target, all_errors=all_errors, spreadsheet=spreadsheet)
    if path is not None:
        session.output.note(f"{found.left_out} rows of {found.filename} are in {path}")
    return DONE


@click.command()
@click.argument("upload", metavar="UPLOAD")
@click.option("--all", "is_all", is_flag=True, help="Undo nothing unless every row can be.")
@click.option("--dry-run", is_flag=True, help="Say what would become of the rows.")
@_WAIT
@_KEY
@with_session
def undo(
    session: Session, upload: str, is_all: bool, dry_run: bool, wait: bool, key: str | None
) -> int:
    """Take back what an upload loaded.

    UPLOAD is its id, or `last`. Rows that it inserted are removed and those that it updated have
    their former values again, except where a later upload touched them.
    """
    with session.client() as client:
        mode: UndoMode = "all" if is_all else "possible"
        undone = client.undo(_found(client, upload).id, mode=mode, dry_run=dry_run, key=key)
        return _after(client, session, undone, wait=wait)


@click.command()
@click.argument("upload", metavar="UPLOAD")
@with_session
def cancel(session: Session, upload: str) -> int:
    """Cancel an upload that is not loaded yet.

    UPLOAD is its id, or `last`.
    """
    with session.client() as client:
        cancelled = client.cancel(_found(client, upload).id)
        session.output.show(cancelled, upload_line(cancelled))
    return DONE


COMMANDS: Sequence[click.Command] = (upload, fix, load, status, watch, rejects, undo, cancel)


@dataclass(frozen=True)
class _Named:
    """A file to send, and what it is called if not as its path."""

    path: Path
    name: str | None

    @property
    def shown(self) -> str:
        return self.name or self.path.name


class _Job:
    """The uploads of one command; `status` is the worst of theirs."""

    def __init__(self, client: MusterClient, session: Session, *, wait: bool) -> None:
        self._client = client
        self._session = session
        self._wait = wait
        self.status = DONE

    def send(self, file: _Named, **options: Any) -> int:
        """Send a file, and wait for it if that is asked for; returns the status after it."""
        with bar_of(file.shown, file.path.stat().st_size) as bar:
            accepted = self._client.upload(file.path, filename=file.name, sent=bar.sent, **options)
            latest = self._followed(accepted, bar) if self._wait else accepted
        return self._count(latest)

    def follow(self, upload: Upload) -> int:
        """Wait for an upload; returns the status after it."""
        with bar_of(upload.filename, upload.size) as bar:
            latest = self._followed(upload, bar)
        return self._count(latest)

    def _followed(self, upload: Upload, bar: Bar) -> Upload:
        if not sys.stderr.isatty():
            return self._client.wait(upload.id)
        while not upload.is_final:
            bar.stands(upload)
            time.sleep(_LOOK_SECONDS)
            upload = self._client.get_upload(upload.id)
        return upload

    def _count(self, upload: Upload) -> int:
        status = _shown(upload, self._session)
        self.status = max(self.status, status)
        return status


def _after(client: MusterClient, session: Session, accepted: Upload, *, wait: bool) -> int:
    """Show an upload that was accepted, once it is final if it is to be waited for."""
    if wait:
        return _Job(client, session, wait=True).follow(accepted)
    return _shown(accepted, session)


def _shown(upload: Upload, session: Session) -> int:
    session.output.show(upload, "\n".join([upload_line(upload), *cause_lines(upload)]))
    return status_of(upload)


def _ordered(files: Sequence[str], options: dict[str, Any], client: MusterClient) -> Sequence[str]:
    if len(files) == 1 or "table" in options:
        return files
    return in_load_order(files, client.tables())


def _found(client: MusterClient, upload: str) -> Upload:
    """The upload of that id, or the latest. Raises CommandError where there is none."""
    if upload != _LAST:
        return client.get_upload(upload)
    latest = client.latest_upload()
    if latest is None:
        raise CommandError("You have sent nothing yet.")
    return latest


def _source(file: str, name: str | None, table: str | None, stack: ExitStack) -> _Named:
    """The file to send; standard input is called after its table, if it has no name."""
    if file == _STDIN:
        return _Named(_spooled(stack), name or f"{table}.csv")
    return _Named(Path(file), name)


def _tell_left(session: Session, left: Collection[str]) -> None:
    if left:
        session.output.note(f"muster: not sent: {', '.join(left)}")


def _spooled(stack: ExitStack) -> Path:
    """Standard input as a file: what has been read once can be sent again."""
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="muster-"))) / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


@contextmanager
def _saved(path: str | None) -> Iterator[BinaryIO]:
    """A file to write; once it is whole it is at `path`, or on standard output."""
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        if path is None:
            shutil.copyfileobj(file, sys.stdout.buffer)
            return
        with Path(path).open("wb") as target:
            shutil.copyfileobj(file, target)
