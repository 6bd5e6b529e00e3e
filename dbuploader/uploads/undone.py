"""Which undo an upload is `undone_by`: told from the journal, so that it can be told again."""

from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import Connection

from dbuploader.journal.lookup import MadeChange, find_change, find_numbered, find_undos
from muster.contracts.uploads import State, UnreadableRecord, Upload
from muster.database import Database
from muster.uploadstore import UploadNotFound, UploadStore


def note_undone(database: Database, uploads: UploadStore, undo: Upload) -> None:
    """Have the record of what was undone name the undo, and those before it what holds again.

    Where the undone is an undo itself, what that one took back is undone by it no longer. May be
    called again at any time. Raises DatabaseUnavailable and StoreUnavailable.
    """
    with database.read() as connection:
        change = find_change(connection, undo.id)
        undone_by = {} if change is None else dict(_undone_by(connection, change))
    for upload_id, by in undone_by.items():
        # A record that is gone, or another version's, names none.
        with suppress(UploadNotFound, UnreadableRecord):
            if uploads.get(upload_id).undone_by != by:
                uploads.update(upload_id, expect=frozenset(State), undone_by=by)


def _undone_by(connection: Connection, undo: MadeChange) -> Iterator[tuple[str, str | None]]:
    """For each upload that the undo may bear on, its id and that of the undo that holds."""
    known: dict[int, str | None] = {}
    undone = undo
    while undone.undoes is not None:
        found = find_numbered(connection, undone.undoes)
        if found is None:
            return
        undone = found
        yield undone.entry, _holding(connection, undone, known)


def _holding(
    connection: Connection, change: MadeChange, known: dict[int, str | None]
) -> str | None:
    """The id of the latest undo of the change that is not itself undone.

    `known` are those by the numbers of changes that were asked for before.
    """
    waiting = [change]
    while waiting:
        undos = find_undos(connection, waiting[-1].number)
        further = [undo for undo in undos if undo.number not in known]
        if further:
            waiting += further
            continue
        holding = (undo.entry for undo in undos if known[undo.number] is None)
        known[waiting.pop().number] = next(holding, None)
    return known[change.number]
