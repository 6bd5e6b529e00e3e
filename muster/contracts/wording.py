"""What people are told about an upload, by email and on the page: plain words, exactly true."""

from muster.contracts.uploads import State, Upload


def sentence(upload: Upload) -> str:
    """The state of the upload in a sentence or two."""
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
    rows, dry_run = upload.rows, upload.state is State.VALIDATED
    numbers = {
        "Rows read": rows.read,
        "Would be inserted" if dry_run else "Inserted": rows.inserted,
        "Would be updated" if dry_run else "Updated": rows.updated,
        "Unchanged, already there": rows.unchanged,
        "Rejected": rows.rejected,
        "Unprocessed": rows.unprocessed,
    }
    return [(name, f"{number:,}") for name, number in numbers.items()]


def count_rows(number: int) -> str:
    """`1 row`, `1,929 rows`."""
    return "1 row" if number == 1 else f"{number:,} rows"
