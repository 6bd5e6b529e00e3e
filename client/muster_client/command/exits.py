"""With which status the command ends, and what is said of an error.

Scripts rely on the numbers: they stay.
"""

from collections.abc import Mapping
from typing import Any

import click

from muster_client.errors import MusterError, Refused, TableNotKnown, Unreachable
from muster_client.models import Upload
from muster_client.transport import is_passing

DONE = 0
REJECTS = 1
FAILED = 2
REFUSED = 3
NO_ANSWER = 4
# Of sysexits.h: click's own 2 is taken.
USAGE = 64
INTERRUPTED = 130

_SHOWN = 20

EPILOG = (
    "\b\nExit status:\n"
    "    0  done\n"
    "    1  done, but rows were rejected (or, of an undo, kept or blocked)\n"
    "    2  the upload failed or was cancelled: nothing was loaded\n"
    "    3  refused: not allowed, not found, not valid\n"
    "    4  no answer, however often it was tried\n"
    "   64  the command was not called as it must be\n"
    "  130  interrupted"
)


class CommandError(MusterError):
    """Why a command can't do what it was asked; it ends as refused."""


def status_of(upload: Upload) -> int:
    """The status after an upload; one that is not final is accepted, which is as good as done."""
    if upload.state in {"failed", "cancelled"}:
        return FAILED
    return REJECTS if upload.is_final and upload.left_out else DONE


def status_of_error(error: BaseException) -> int:
    """The status after an error."""
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return USAGE
    if isinstance(error, Refused):
        # A refusal that would have passed, and did not in time.
        return NO_ANSWER if is_passing(error) else REFUSED
    return NO_ANSWER if isinstance(error, Unreachable) else REFUSED


def explained(error: MusterError) -> list[str]:
    """What is said of an error, a line each."""
    if isinstance(error, TableNotKnown):
        return [f"{error} Use --table."]
    if not isinstance(error, Refused):
        return [str(error)]
    lines = [error.detail]
    if [each.get("message") for each in error.errors] != [error.detail.partition(": ")[2]]:
        lines += [_field(each) for each in error.errors[:_SHOWN]]
    if len(error.errors) > _SHOWN:
        lines.append(f"  … and {len(error.errors) - _SHOWN} more")
    if error.status == 401:
        lines.append("Log in again: muster login URL --email EMAIL")
    if error.status >= 500 and error.request_id:
        lines.append(f"Its request id is {error.request_id}.")
    return lines


def _field(error: Mapping[str, Any]) -> str:
    return f"  {error.get('field') or 'row'}: {error.get('message')}"
