"""What the page calls states, causes, effects, options and permissions."""

import re
from collections.abc import Mapping
from datetime import datetime

from muster.contracts.error_codes import ROW_ERRORS
from muster.contracts.tables import Table, tables
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.upload_document import MOST_PLACES, QueuePlace
from muster.contracts.uploads import EmailState, Options, State, Upload, now
from muster.contracts.wording import in_words

STATES: Mapping[State, str] = {
    State.QUEUED: "Waiting",
    State.VALIDATING: "Checking",
    State.LOADING: "Loading",
    State.COMPLETED: "Loaded",
    State.COMPLETED_WITH_REJECTS: "Loaded in part",
    State.VALIDATED: "Checked (dry run)",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
}
WORDS: Mapping[str, str] = {
    **{str(state): word for state, word in STATES.items()},
    "nothing loaded": "Nothing loaded",
    "undo loading": "Undoing",
    "undo completed": "Undone",
    "undo completed_with_rejects": "Not all undone",
    "erasure loading": "Erasing",
    "erasure completed": "Erased",
}
"""The same, with what a state is called of another kind than `upload`."""
EMAILS: Mapping[EmailState, str] = {
    EmailState.WAITING: "waiting to be sent",
    EmailState.SENT: "sent",
    EmailState.REFUSED: "refused by the mail server",
    EmailState.GIVEN_UP: "could not be sent",
    EmailState.UNWANTED: "none, as its sender wishes",
}
"""What became of the email about an upload."""
CODES: Mapping[str, str] = {
    **{code: error.title for code, error in ROW_ERRORS.items()},
    "type-error": "Not a date, or not a number",
    "primary-key": "The id is taken",
}
ACTIONS: Mapping[str, str] = {
    "signed-in": "signed in",
    "sign-in-failed": "failed to sign in",
    "signed-out": "signed out",
    "password-changed": "changed their password",
    "password-reset-requested": "asked for a new password",
    "password-reset": "set a new password by a link",
    "user-added": "added a user",
    "user-changed": "changed a user",
    "user-deleted": "deleted a user",
    "user-invited": "invited a user",
    "invitation-accepted": "accepted an invitation",
    "key-made": "made an access key",
    "key-revoked": "revoked an access key",
    "undo": "asked for an undo",
    "erasure": "asked for an erasure",
    "webhook-made": "made a webhook",
    "webhook-changed": "changed a webhook",
    "webhook-deleted": "deleted a webhook",
}
"""What the audit log tells."""
DELIVERIES: Mapping[str, str] = {
    "waiting": "Waiting",
    "delivered": "Delivered",
    "dead": "Not delivered",
}
"""The states of what is sent to a webhook."""
PERMISSIONS: Mapping[str, str] = {
    "uploads:write": "upload files",
    "uploads:read": "see own uploads",
    "uploads:undo": "undo own uploads",
    "uploads:admin": "see, cancel and undo all uploads",
    "rows:write": "write rows by a program",
    "rows:erase": "erase a row everywhere, for good",
    "queries:read": "see tables and hiring",
    "users:admin": "manage users",
}
EFFECTS: Mapping[tuple[str, str], str] = {
    ("upload", "inserted"): "Added by an upload",
    ("upload", "updated"): "Changed by an upload",
    ("batch", "inserted"): "Added by a program",
    ("batch", "updated"): "Changed by a program",
    ("undo", "inserted"): "Brought back by an undo",
    ("undo", "updated"): "Changed back by an undo",
    ("undo", "removed"): "Removed by an undo",
    ("erasure", "removed"): "Erased",
}
"""What a change of each kind did to a row."""
FORGOTTEN: Mapping[str | None, str] = {
    "expired": "What it was before is no longer kept.",
    "erased": "What it was before was erased.",
}
"""Why it is not known what a row was before a change."""
_TOO_LONG = re.compile(r"This body may have [\d,]+ bytes at most\.")
_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
# Up to so many seconds in units of so many, which are called so.
_AGES = ((_HOUR, _MINUTE, "minute"), (_DAY, _HOUR, "hour"), (7 * _DAY, _DAY, "day"))
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_DATES = {"dmy": "day", "mdy": "month"}
_DELIMITERS = {",": "commas", ";": "semicolons", "tab": "tabs", "pipe": "pipes"}


def word_for(upload: Upload) -> str:
    """What the page calls the state of the upload: never loaded, where nothing was."""
    rows = upload.rows
    is_with_rejects = upload.state is State.COMPLETED_WITH_REJECTS
    is_without_rows = upload.state is State.COMPLETED and not rows.read
    written = rows.inserted + rows.updated
    if upload.kind == "upload" and not written and (is_with_rejects or is_without_rows):
        return WORDS["nothing loaded"]
    return WORDS.get(f"{upload.kind} {upload.state}") or WORDS[upload.state]


def problem_in_words(detail: str) -> str:
    """The text without names of services, and with what a permission allows for its name."""
    if detail.endswith("does not answer now; try again."):
        return "A part of Muster is not answering. Nothing is lost: try again in a moment."
    detail = _TOO_LONG.sub("What was typed is too long: shorten it, or send it in parts.", detail)
    for name, words in PERMISSIONS.items():
        detail = detail.replace(name, f"to {words}")
    return in_words(detail, {name: table.title.lower() for name, table in tables().items()})


def ago(moment: datetime) -> str:
    """How long ago that was, as people say it; after a week its day."""
    seconds = (now() - moment).total_seconds()
    for most, unit, name in _AGES:
        if seconds < most:
            number = int(seconds // unit)
            return f"{number} {name}{'s' if number != 1 else ''} ago" if number else "just now"
    return f"{moment:%Y-%m-%d}"


def standing(place: QueuePlace | None) -> str:
    """The place in the queue as people say it."""
    if place is None:
        return ""
    number = place.position
    ending = "th" if number % 100 in {11, 12, 13} else _ENDINGS.get(number % 10, "th")
    return f"{number:,}{ending}{' or later' if number == MOST_PLACES else ''} in the queue"


def wishes(options: Options, table: Table | None) -> list[str]:
    """What the uploader asked for that is not the usual, but for a dry run."""
    limit, header = options.max_rejects, options.header
    said = {
        "nothing is undone unless every row can be": options.mode == "all",
        "rows whose id is taken are rejected": options.mode == "insert",
        f"nothing is loaded with more than {limit} rejected": limit is not None,
        f"{options.expect_rows} rows are expected": options.expect_rows is not None,
        f"at most {options.max_inserted} may be inserted": options.max_inserted is not None,
        f"at most {options.max_updated} may be updated": options.max_updated is not None,
        f"the first line {'names the columns' if header == 'present' else 'is a row'}": header
        != "auto",
        f"cells are separated by {_DELIMITERS.get(options.delimiter)}": options.delimiter != "auto",
        f"encoding {options.encoding}": options.encoding != "auto",
        _meanings(options.columns, table): options.columns != "",
        f"dates such as 7/11/2021 have the {_DATES.get(options.dates)} first": options.dates
        != "iso",
    }
    return [text for text, asked in said.items() if asked]


def _meanings(columns: str, table: Table | None) -> str:
    """What the uploader said of the labels: `"Trade" means Job, "Remarks" is skipped`."""
    try:
        meant = parse_columns(columns, table) if table else {}
    except ValueError:
        # The table has other columns by now.
        meant = {}
    if not (table and meant):
        return f"labels mean {columns}"
    return ", ".join(
        f'"{label}" {f"means {table.heading(column)}" if column else "is skipped"}'
        for label, column in meant.items()
    )
