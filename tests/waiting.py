"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable, Mapping

from flask.testing import FlaskClient

DEADLINE_SECONDS = 60.0


def eventually(
    condition: Callable[[], object], seconds: float = DEADLINE_SECONDS, pause: float = 0.01
) -> None:
    """Return once `condition` holds, asked every `pause` seconds; fails if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(pause)


def eventually_up(
    client: FlaskClient,
    service: str,
    dependencies: Mapping[str, bool],
    headers: Mapping[str, str] | None = None,
) -> None:
    """Return once `/metrics` of `service` tells of each of `dependencies` whether it answers.

    They are asked in threads: what one saw before may be told first, and a scrape waits for none
    that is late.
    """
    lines = {
        f'muster_dependency_up{{dependency="{name}",service="{service}"}} {float(is_up)}'
        for name, is_up in dependencies.items()
    }
    eventually(lambda: lines <= set(client.get("/metrics", headers=headers).text.splitlines()))
