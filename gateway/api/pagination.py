"""Where the next page of a list begins, as text that a client hands back unread."""

import base64
import binascii


class BadCursor(Exception):
    """Not a cursor that came from here."""


def to_cursor(sequence: int) -> str:
    """The cursor of the page of uploads below `sequence`."""
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> int:
    """The sequence in the cursor; raises BadCursor."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not text.isdigit() or len(text) > 18:
        raise BadCursor
    return int(text)
