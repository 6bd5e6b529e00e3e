"""What people are told about an upload, by email and on the page: plain words, exactly true."""

from muster.contracts.uploads import State, UndoCounts, Upload


def sentence(upload: Upload) -> str:
    """The final state of the upload in a sentence or two."""
    if upload.undone_by is not None:
        what = "The undo was done" if upload.kind == "undo" else "Your file was loaded"
        return f"{what}, and has been undone since, in whole or in part."
    if upload.kind == "undo":
        return _sentence_of_undo(upload)
    if upload.kind == "erasure":
        return _sentence_of_erasure(upload)
    rows = upload.rows
    match upload.state:
        case State.FAILED:
            return "Your file could not be loaded, so nothing in the table was changed."
        case State.CANCELLED:
            return "The upload was cancelled, and nothing of the file was loaded."
        case State.VALIDATED:
            return "This was a dry run: your file was checked, and nothing was loaded."
    if not rows.read:
        return "Your file has no rows, so there was nothing to load."
    if not rows.rejected:
        return "Your file was loaded: all of its rows are in the table."
    if rows.rejected == rows.read:
        return "Nothing of your file was loaded: all of its rows were rejected."
    were = "was" if rows.rejected == 1 else "were"
    return f"Your file was loaded, but for {count_rows(rows.rejected)} that {were} rejected."


def counts(upload: Upload) -> list[tuple[str, str]]:
    """What became of the rows, each with its number; the first is the sum of the others."""
    rows, dry_run = upload.tally, upload.state is State.VALIDATED
    if isinstance(rows, UndoCounts):
        numbers = {
            "Rows that it wrote": rows.written,
            "Would be restored" if dry_run else "Restored": rows.restored,
            "Would be removed" if dry_run else "Removed": rows.removed,
            "Kept, changed later": rows.kept,
            "Blocked, others depend on it": rows.blocked,
        }
        return [(name, f"{number:,}") for name, number in numbers.items()]
    numbers = {
        "Rows read": rows.read,
        "Would be inserted" if dry_run else "Inserted": rows.inserted,
        "Would be updated" if dry_run else "Updated": rows.updated,
        "Unchanged, already there": rows.unchanged,
        "Rejected": rows.rejected,
        "Unprocessed": rows.unprocessed,
    }
    return [(name, f"{number:,}") for name, number in numbers.items()]


def undone(upload: Upload) -> str:
    """What became of the rows of an undo: `1,929 rows removed, 12 restored, 3 kept`."""
    rows = upload.undone or UndoCounts()
    numbers = {
        "removed": rows.removed,
        "restored": rows.restored,
        "kept": rows.kept,
        "blocked": rows.blocked,
    }
    found = [(number, name) for name, number in numbers.items() if number] or [(0, "removed")]
    (number, name), *others = found
    return ", ".join([f"{count_rows(number)} {name}", *(f"{n:,} {name}" for n, name in others)])


def is_undone(upload: Upload) -> bool:
    """Whether the undo has taken back a row at least, or, of a dry run, would."""
    rows = upload.undone or UndoCounts()
    return rows.removed + rows.restored > 0


def _sentence_of_undo(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            return "The upload could not be undone, so nothing in the table was changed."
        case State.CANCELLED:
            return "The undo was cancelled, and nothing was undone."
        case State.VALIDATED:
            return f"This was a dry run, and nothing was undone. It would mean: {undone(upload)}."
    return f"{'Undone' if is_undone(upload) else 'Nothing was undone'}: {undone(upload)}."


def _sentence_of_erasure(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            return "The row could not be erased everywhere."
        case State.CANCELLED:
            return "The erasure was cancelled before it was finished."
    return "The row was erased: neither the table nor its history, files and rejected rows hold it."


def count_rows(number: int) -> str:
    """`1 row`, `1,929 rows`."""
    return "1 row" if number == 1 else f"{number:,} rows"
