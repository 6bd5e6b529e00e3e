"""What the uploader is told, whatever the channel, and text from outside made fit to be shown."""

from muster.contracts.error_codes import upload_error
from muster.contracts.uploads import HiresImpact, Impact, MeanImpact, State, Upload
from muster.contracts.wording import count_rows, is_undone, row_in_table, undone

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def subject(upload: Upload) -> str:
    """The subject line: the file, and what became of its rows."""
    outcomes = {"upload": _outcome, "undo": _outcome_of_undo, "erasure": _outcome_of_erasure}
    is_erasure = upload.kind == "erasure"
    what = row_in_table(upload.table, upload.erases) if is_erasure else upload.filename
    return f"{visible(what, 60)}: {outcomes[upload.kind](upload)}"


def _outcome(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            return f"nothing loaded{_reason(upload)}"
        case State.CANCELLED:
            return "nothing loaded: cancelled"
    written = upload.rows.inserted + upload.rows.updated
    dry_run = upload.state is State.VALIDATED
    loaded = "would be loaded" if dry_run else "loaded"
    parts = [f"{count_rows(written)} {loaded}" if written else f"nothing {loaded}"]
    if upload.rows.unchanged:
        parts.append(f"{upload.rows.unchanged:,} already there")
    parts.append(f"{upload.rows.rejected:,} rejected" if upload.rows.rejected else "none rejected")
    return ", ".join(["dry run", *parts] if dry_run else parts)


def _outcome_of_undo(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            return f"nothing undone{_reason(upload)}"
        case State.CANCELLED:
            return "nothing undone: cancelled"
        case State.VALIDATED:
            return f"dry run of an undo: {undone(upload)}"
    return f"{'undone' if is_undone(upload) else 'nothing undone'}: {undone(upload)}"


def _outcome_of_erasure(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            return f"not erased{_reason(upload)}"
        case State.CANCELLED:
            return "not erased: cancelled"
    return "erased"


def _reason(upload: Upload) -> str:
    return "" if upload.error is None else f": {upload_error(upload.error.code).summary}"


def changed_in_hiring(upload: Upload) -> str:
    """What it changes in the answers to the hiring questions, the largest of it; may be empty.

    `Sales, Q3 2021: 4 → 9, and 12 more numbers; Support comes above the mean of 2021`.
    """
    impact, would = upload.impact or Impact(), upload.state is State.VALIDATED
    parts = []
    if impact.hires:
        parts.append(_number(impact.hires[0]) + _more_numbers(impact.hires_total - 1))
    if impact.departments:
        first, more = impact.departments[0], impact.departments_total - 1
        parts.append(_crossing(first, would=would) + _more_crossings(more, would=would))
    return "; ".join(parts)


def _number(number: HiresImpact) -> str:
    quarter = f"Q{number.quarter} {number.year}"
    return f"{visible(number.department)}, {quarter}: {number.before:,} → {number.after:,}"


def _more_numbers(more: int) -> str:
    return f", and {more:,} more {'number' if more == 1 else 'numbers'}" if more > 0 else ""


def _crossing(crossing: MeanImpact, *, would: bool) -> str:
    if crossing.above:
        verb = "would come above" if would else "comes above"
    else:
        verb = "would no longer be above" if would else "is no longer above"
    return f"{visible(crossing.department)} {verb} the mean of {crossing.year}"


def _more_crossings(more: int, *, would: bool) -> str:
    if more <= 0:
        return ""
    others, verb = ("department", "crosses") if more == 1 else ("departments", "cross")
    return f", and {more:,} more {others} {'would cross' if would else verb} that of a year"


def visible(text: str, limit: int = 120) -> str:
    """Text from outside, which may hold anything, as one line of at most `limit` characters.

    The middle of a longer one is left out. What isn't printable is replaced: line breaks, other
    control characters, marks that change the direction of writing, lone surrogates.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[head + 1 - limit :]}"
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)
