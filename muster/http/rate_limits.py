"""How much a client may still do, in the headers of draft-ietf-httpapi-ratelimit-headers-10.

A rule that limits something announces where the client stands, whether it refuses or not; the
answer to the request then says so.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import http_sf
from flask import Response, g, has_request_context


@dataclass(frozen=True)
class RateLimit:
    """A limit by its name, and what is left of its `quota` of `unit`.

    It is for a `window` of seconds, and in `reset` seconds something of it is free again: None of a
    limit of what goes on at once.
    """

    name: str
    quota: int
    remaining: int
    window: int | None = None
    reset: int | None = None
    unit: Literal["requests", "content-bytes", "concurrent-requests"] = "requests"

    def policy(self) -> tuple[str, dict[str, Any]]:
        """What of it is always the same."""
        parameters: dict[str, Any] = {"q": self.quota}
        if self.unit != "requests":
            parameters["qu"] = self.unit
        if self.window is not None:
            parameters["w"] = self.window
        return self.name, parameters

    def standing(self) -> tuple[str, dict[str, Any]]:
        """What of it is left now."""
        parameters = {"r": max(0, self.remaining)}
        return self.name, parameters if self.reset is None else {**parameters, "t": self.reset}


def announce(limit: RateLimit) -> None:
    """Have the answer to this request, if there is one, say it in place of what it said before."""
    if has_request_context():
        g.setdefault("rate_limits", {})[limit.name] = limit


def say_rate_limits(response: Response) -> Response:
    """The answer with what was announced."""
    announced: Collection[RateLimit] = g.get("rate_limits", {}).values()
    if announced:
        policies: list[Any] = [each.policy() for each in announced]
        standings: list[Any] = [each.standing() for each in announced]
        response.headers["RateLimit-Policy"] = http_sf.ser(policies)
        response.headers["RateLimit"] = http_sf.ser(standings)
    return response
