"""Which servers Muster works on: the minimum version of each, and what happens to one below it.

Every adapter reads the version from the server itself, by `too_old`, each time it connects, and
raises its port's `…Refused`. For a process that runs this is weather: what it does waits, and the
log and `/readyz` say why. A process that starts ends instead. A server that does not answer by then
is not judged: the process starts, and waits for it.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

import structlog

from muster.adapters import ConfigurationError
from muster.backends.dependencies import Check
from muster.weather import StoreUnavailable

log = structlog.get_logger(__name__)

FLOORS: Mapping[str, tuple[int, int]] = {
    "MariaDB": (10, 11),
    "MongoDB": (7, 0),
    "MySQL": (8, 4),
    "RabbitMQ": (3, 10),
}
"""The oldest version of each that is tried; what stands in for one gives its version, too."""

_START_SECONDS = 10.0


class ServerRefused(Exception):
    """The server answers, but can't be used; the message says why and what to do instead."""


class StoreRefused(ServerRefused, StoreUnavailable):
    """A store's server is too old; each call checks again, until one finds that it is not."""


def too_old(product: str, version: str, where: object, url: str) -> str | None:
    """Why the server can't be used, in one sentence, or None if it can.

    `where` is its address, and `url` says which setting named it.
    """
    if product not in FLOORS or _numbers(version) >= FLOORS[product]:
        return None
    floor = ".".join(map(str, FLOORS[product]))
    return (
        f"{product} at {where} has version {version} and Muster needs {floor} or newer: "
        f"upgrade that server, or name a newer one in the {url} URL."
    )


def require_servers(checks: Mapping[str, Check], seconds: float = _START_SECONDS) -> None:
    """Return, unless a check raises ServerRefused within `seconds`: all of them are made at once.

    Raises ConfigurationError with what it says.
    """
    refusals: SimpleQueue[str | None] = SimpleQueue()
    for check in checks.values():
        # A daemon, for a server that hangs may keep it longer than the process lives.
        Thread(target=lambda check=check: refusals.put(_refusal_of(check)), daemon=True).start()
    deadline = monotonic() + seconds
    with suppress(Empty):
        for _ in checks:
            refusal = refusals.get(timeout=max(0.0, deadline - monotonic()))
            if refusal is not None:
                raise ConfigurationError(refusal)


def _refusal_of(check: Check) -> str | None:
    try:
        check()
    except ServerRefused as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever else a check raises is weather
        log.warning("dependency not ready", error=repr(error))
    return None


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
