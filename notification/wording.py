"""What the uploader is told, whatever the channel, and text from outside made fit to be shown."""

from muster.contracts.uploads import State, Upload
from muster.contracts.wording import count_rows

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def subject(upload: Upload) -> str:
    """The subject line: the table, and what became of the rows."""
    return f"{visible(upload.table)}: {_outcome(upload)}"


def _outcome(upload: Upload) -> str:
    match upload.state:
        case State.FAILED if upload.error is not None:
            reason = visible(upload.error.code).replace("-", " ")
            return f"failed, nothing loaded: {reason}"
        case State.FAILED:
            return "failed, nothing loaded"
        case State.CANCELLED:
            return "cancelled, nothing loaded"
    written = upload.rows.inserted + upload.rows.updated
    dry_run = upload.state is State.VALIDATED
    parts = [f"{count_rows(written)} {'would load' if dry_run else 'loaded'}"]
    if upload.rows.unchanged:
        parts.append(f"{upload.rows.unchanged:,} already there")
    parts.append(f"{upload.rows.rejected:,} rejected" if upload.rows.rejected else "none rejected")
    return ", ".join(["dry run", *parts] if dry_run else parts)


def visible(text: str, limit: int = 120) -> str:
    """Text from outside, which may hold anything, as one line of at most `limit` characters.

    The middle of a longer one is left out. What isn't printable is replaced: line breaks, other
    control characters, marks that change the direction of writing, lone surrogates.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[head + 1 - limit :]}"
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)
