"""What an email's two templates show: all of it fit to be shown, none of it escaped yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from muster.contracts.error_codes import upload_error
from muster.contracts.tables import tables
from muster.contracts.uploads import Cause, State, Upload, UploadWarning
from muster.contracts.wording import (
    FAILURES_OF_UNDOS,
    advice,
    count_rows,
    in_words,
    is_undone,
    sentence,
    spoken_names,
    title_of,
)
from muster.observability.tracing import Trace
from notification import wording
from notification.channels.email import commands
from notification.wording import visible

Tone = Literal["good", "partly", "bad", "neutral"]
"""How good the news is."""

_BECAUSE = {
    "upload": "you uploaded a file",
    "undo": "you undid an upload",
    "erasure": "you erased a row",
}


@dataclass(frozen=True)
class Reason:
    """Why some rows were rejected: how many and where the first is, and the message.

    Rows of an undo are nowhere in a file.
    """

    rows: str
    where: str | None
    message: str


@dataclass(frozen=True)
class Doubt:
    """What was not rejected and yet looks wrong, and where it is."""

    where: str
    message: str


@dataclass(frozen=True)
class LoadFailure:
    """Why nothing was loaded, and what to do about it."""

    detail: str
    advice: str


@dataclass(frozen=True)
class Step:
    """Something to do next, and the command that does it."""

    text: str
    command: str


@dataclass(frozen=True)
class EmailContent:
    """One email: what happened, where to go on, why, and what scripts need.

    `about` says which upload it was. `further_doubts` is how many there are besides `doubts`;
    empty if none. `hiring` is what changes in the answers about hiring; empty if nothing. `because`
    ends the sentence that says why it was sent, and at `account` its reader chooses which are.
    """

    subject: str
    tone: Tone
    sentence: str
    about: str
    action: str
    link: str
    problem: LoadFailure | None
    reasons: list[Reason]
    reasons_title: str
    doubts: list[Doubt]
    further_doubts: str
    hiring: str
    because: str
    account: str
    steps: list[Step]
    upload_id: str
    request_id: str


def content_of(upload: Upload, trace: Trace, public_url: str) -> EmailContent:
    """What the email about a final upload says."""
    is_undo = upload.kind == "undo"
    return EmailContent(
        subject=wording.subject(upload),
        tone=tone_of(upload),
        sentence=sentence(upload),
        about=_about(upload),
        action=_action(upload),
        link=link_to(upload, public_url),
        problem=_problem(upload),
        reasons=[_reason(cause, upload) for cause in upload.causes],
        reasons_title=_reasons_title(upload),
        doubts=[_doubt(warning, upload) for warning in upload.warnings],
        further_doubts=_further(upload.warnings_total - len(upload.warnings)),
        hiring=wording.changed_in_hiring(upload),
        because=_BECAUSE[upload.kind],
        account=account_at(public_url),
        steps=_steps_of_undo(upload, public_url) if is_undo else _steps(upload, public_url),
        upload_id=upload.id,
        request_id=trace.request_id,
    )


def link_to(upload: Upload, public_url: str) -> str:
    """The page of the upload."""
    return f"{public_url}/uploads/{quote(upload.id, safe='')}"


def account_at(public_url: str) -> str:
    """The page on which people choose which emails they get."""
    return f"{public_url}/account/emails"


def tone_of(upload: Upload) -> Tone:
    """How good the news about a final upload is."""
    if upload.state in {State.VALIDATED, State.CANCELLED}:
        return "neutral"
    if upload.state is State.FAILED:
        return "bad"
    if upload.state is State.COMPLETED:
        return "good"
    rows = upload.rows
    changed = is_undone(upload) if upload.kind == "undo" else rows.inserted + rows.updated > 0
    return "partly" if changed else "bad"


def name_of(upload: Upload) -> str:
    """What people know the upload by: its file, or what it does where it has none of its own."""
    return visible(title_of(upload))


def _about(upload: Upload) -> str:
    asked = "sent" if upload.kind == "upload" else "asked for"
    return f"{name_of(upload)}, {asked} on {time_of(upload.submitted_at)}"


def _action(upload: Upload) -> str:
    rejected = upload.rows.rejected
    if upload.kind != "upload":
        return f"See the {upload.kind}"
    if upload.state is State.COMPLETED_WITH_REJECTS:
        return "Correct the rejected row" if rejected == 1 else f"Correct the {rejected:,} rows"
    return "See what is wrong" if upload.state is State.FAILED else "See the upload"


def time_of(time: datetime) -> str:
    """A time as emails write it."""
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def _reasons_title(upload: Upload) -> str:
    is_dry_run = upload.state is State.VALIDATED
    if upload.kind == "undo":
        return f"Why rows {'would not be' if is_dry_run else 'were not'} undone"
    return f"Why rows {'would be' if is_dry_run else 'were'} rejected"


def _reason(cause: Cause, upload: Upload) -> Reason:
    names = _names(upload)
    first = "on" if cause.rows == 1 else "the first on"
    message = visible(in_words(cause.message, names), 400)
    if upload.kind == "undo":
        # It is in no cell of theirs what keeps rows from being undone.
        message = f"the first of them: {message}" if cause.rows > 1 else message
    elif cause.column is not None:
        heading = names.get(cause.column, cause.column)
        message = message if heading in message else f"{visible(heading)}: {message}"
    return Reason(
        rows=count_rows(cause.rows),
        where=f"{first} line {cause.first_line:,}" if cause.first_line else None,
        message=message,
    )


def _doubt(warning: UploadWarning, upload: Upload) -> Doubt:
    where = f"Line {warning.line:,}" if warning.line else "All of it"
    return Doubt(where, visible(in_words(warning.message, _names(upload)), 400))


def _names(upload: Upload) -> Mapping[str, str]:
    return spoken_names(tables().get(upload.table))


def _further(number: int) -> str:
    return f"and {number:,} more" if number > 0 else ""


def _problem(upload: Upload) -> LoadFailure | None:
    if upload.state is not State.FAILED or upload.error is None:
        return None
    detail = visible(in_words(upload.error.detail, {}), 1000)
    return LoadFailure(detail, advice(upload, upload.error))


def _steps(upload: Upload, public_url: str) -> list[Step]:
    """What brings the rows that are not in the table into it."""
    if upload.kind == "erasure":
        return []
    for_operators = upload.error is not None and upload_error(upload.error.code).for_operators
    if upload.state is State.COMPLETED or for_operators:
        return []
    login = Step("Log in; it asks for your password.", commands.login(public_url, upload))
    fetch = Step("Get the rejected rows.", commands.fetch_rejects(public_url, upload))
    if upload.state is State.COMPLETED_WITH_REJECTS:
        return [login, fetch, Step(_correct(upload), commands.send_rejects(public_url, upload))]
    rejects = [fetch] if upload.rows.rejected else []
    return [login, *rejects, Step(_again(upload), commands.send_file(public_url, upload))]


def _steps_of_undo(upload: Upload, public_url: str) -> list[Step]:
    """What shows the rows that were not undone, and undoes what may still be."""
    login = Step("Log in; it asks for your password.", commands.login(public_url, upload))
    steps = []
    if upload.has_rejects:
        text = "Get the rows that are not undone, each with its reason."
        steps.append(Step(text, commands.fetch_rejects(public_url, upload)))
    if again := _undo_again(upload):
        steps.append(Step(again, commands.undo(public_url, upload)))
    return [login, *steps] if steps else []


def _undo_again(upload: Upload) -> str | None:
    match upload.state:
        case State.VALIDATED:
            return "Undo it without dry_run, to take back what can be."
        case State.CANCELLED:
            return "Undo it again, if it should be undone after all."
        case State.FAILED if upload.has_rejects:
            return "Or undo what can be, and leave those rows as they are."
        case State.FAILED if (
            upload.error is not None and upload.error.code not in FAILURES_OF_UNDOS
        ):
            return None if upload_error(upload.error.code).for_operators else "Undo it again."
    return None


def _correct(upload: Upload) -> str:
    text = (
        "Correct them in that file and send it: only those rows are loaded then. The columns that "
        "begin with _ say what is wrong with each row; they may stay."
    )
    if any(cause.column is None for cause in upload.causes):
        text += " A row without cells could not be split into them: its text is in _raw."
    return text


def _again(upload: Upload) -> str:
    if upload.state is State.CANCELLED:
        return "Send the file again, if it should be loaded after all."
    if upload.error is not None and upload.error.code == "expectation":
        return "Send the right file, or this one with other limits in the address."
    if upload.state is State.FAILED:
        return "Send the corrected file."
    if upload.rows.rejected:
        return "Correct them in your own file and send it whole, to load it."
    return "Send the file again without dry_run, to load it."
