"""What the uploader is told, whatever the channel, and text from outside made fit to be shown."""

from collections.abc import Mapping

from muster.contracts.uploads import State, Upload
from muster.contracts.wording import count_rows

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HEADER_ADVICE = "Correct the first line of the file, or leave it out, and send the file again."
_ADVICE: Mapping[str, str] = {
    "empty-file": "Look whether it is the right file and was wholly written, and send it again.",
    "blank-label": _HEADER_ADVICE,
    "duplicate-label": _HEADER_ADVICE,
    "extra-label": _HEADER_ADVICE,
    "incorrect-label": "Send what follows that line as a file of its own.",
    "missing-label": _HEADER_ADVICE,
    "unknown-header": "Name the columns in the first line, or say what its labels mean, with "
    "columns= in the address below, and send the file again.",
    "dialect-error": "Say which delimiter the file has, with delimiter= in the address below.",
    "encoding-error": "Save the file as UTF-8, or name its encoding with encoding= in the address "
    "below.",
    "too-many-rejects": "Correct the rejected rows in your file, or allow more of them with "
    "max_rejects= in the address below.",
    "too-slow": "Cut the file into several and send those. If it is not large, tell the operators.",
}
_FOR_OPERATORS = frozenset({"internal-error", "too-many-attempts"})


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


def is_for_operators(code: str) -> bool:
    """Whether the uploader can do nothing about a failure."""
    return code in _FOR_OPERATORS


def advice(code: str) -> str:
    """What to do about a failure."""
    if is_for_operators(code):
        return "Sending the same file again will not help. Give the id below to the operators."
    return _ADVICE.get(code, "Correct the file and send it again.")


def visible(text: str, limit: int = 120) -> str:
    """Text from outside, which may hold anything, as one line of at most `limit` characters.

    The middle of a longer one is left out. What isn't printable is replaced: line breaks, other
    control characters, marks that change the direction of writing, lone surrogates.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[head + 1 - limit :]}"
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)
