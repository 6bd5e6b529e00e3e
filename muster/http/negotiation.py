"""Which of the forms that an answer can have the client gets (RFC 9110, section 12.5.1)."""

from flask import request

from muster.http.problems import Problem


def wanted_type(*offered: str) -> str:
    """Of these media types, the one that the request's `Accept` likes best; the first without it.

    A type is liked as much as the narrowest range that it is in. Of two that are liked alike, it
    is the one that is named more narrowly or before, or else is offered before. Raises Problem 406.
    """
    accepted = request.accept_mimetypes
    if not accepted:
        return offered[0]
    wanted = max(offered, key=lambda each: (accepted.quality(each), -accepted.find(each)))
    if not accepted.quality(wanted):
        raise Problem(
            "not-acceptable",
            f"The answer comes as {' or '.join(offered)}.",
            headers={"Vary": "Accept"},
        )
    return wanted
