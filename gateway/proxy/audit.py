"""Having auth note, in its audit log, what a user is about to do here."""

import json
from typing import Literal
from urllib.parse import urlsplit

from gateway.errors import UpstreamUnavailable
from gateway.proxy.forward import ask
from gateway.proxy.upstream import Upstream

Action = Literal["undo", "erasure", "webhook-made", "webhook-changed", "webhook-deleted"]

_LONGEST_SUBJECT = 255


def note(auth: Upstream, action: Action, subject: str) -> None:
    """Return once it is noted; raises UpstreamUnavailable, and then it must not be done.

    Before, so that nothing is done that is not in the log; an entry says what was asked for. It
    refuses nothing that would have been done: without auth no token is believed either.
    """
    entry = json.dumps({"action": action, "subject": subject[:_LONGEST_SUBJECT]}).encode()
    if ask(auth, "POST", "/internal/audit", entry).status != 204:
        raise UpstreamUnavailable(auth.service)


def host_of(url: object) -> str:
    """The host that the URL of a webhook names, if it does: the rest of it may be a secret."""
    try:
        return str(urlsplit(str(url)).hostname or "")
    except ValueError:
        return ""
