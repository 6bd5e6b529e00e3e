"""How a command that runs once waits for its database: until it is there, within a bound.

It waits inside the process. What restarts it instead, such as a kubelet, rests longer after each
failure: the tables would follow the database a minute later.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from muster.backends.servers import ServerRefused
from muster.database import AccessDenied
from muster.weather import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

DENIED_SECONDS = 60.0
"""Whoever sets up a server may make its accounts last; a wrong password stays wrong."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_LOG_EVERY_SECONDS = 10.0


def wait_for(
    call: Callable[[], T],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `call` returns, made again for up to `seconds` while what it needs is Unavailable.

    A server that denies access is given a minute of them; one that is refused, such as one that is
    too old, none. `call` must be safe to repeat. Raises what it raised last.
    """
    begun = clock()
    denied_since: float | None = None
    logged: tuple[str, float] | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            return call()
        except ServerRefused:
            raise
        except Unavailable as error:
            now = clock()
            if not isinstance(error, AccessDenied):
                denied_since = None
            elif denied_since is None:
                denied_since = now
            is_denied = denied_since is not None and now - denied_since >= DENIED_SECONDS
            if is_denied or now - begun >= seconds:
                raise
            if logged is None or str(error) != logged[0] or now - logged[1] >= _LOG_EVERY_SECONDS:
                logged = (str(error), now)
                code, left = f"waiting-for-{error.awaits}", round(seconds - (now - begun))
                log.warning("waiting", code=code, seconds=left, error=str(error))
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
