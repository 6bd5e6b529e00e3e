"""The header `Prefer` (RFC 7240), of which `wait` is known here."""

from gateway.uploads.follow import MAX_WAIT_SECONDS

_DIGITS = 9


def preferred_wait(header: str | None) -> int | None:
    """The seconds that `wait` asks for, 60 at most; None if it does not, or not as it should."""
    for preference in (header or "").split(","):
        name, _, value = preference.split(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdecimal():
            return min(int(seconds[:_DIGITS]), MAX_WAIT_SECONDS)
    return None
