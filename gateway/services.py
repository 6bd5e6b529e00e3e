"""What the views call: built once in `app.py`, the same for every request."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, current_app

from gateway.proxy.coalesce import RequestCoalescer
from gateway.proxy.upstream import Upstream, UpstreamResponse
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.follow import UploadFollower
from muster.http.tokens import Tokens

_NAME = "gateway"


@dataclass(frozen=True)
class Limits:
    """The greatest bodies, in bytes; all others have the server's limit."""

    upload_bytes: int
    batch_bytes: int
    corrections_bytes: int


@dataclass(frozen=True)
class Services:
    """The gateway's rules and the services behind it."""

    uploads: Uploads
    access: UploadAccess
    waiting: UploadFollower
    auth: Upstream
    queries: Upstream
    dbuploader: Upstream
    tokens: Tokens
    coalescer: RequestCoalescer[UpstreamResponse]
    limits: Limits

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """The services behind."""
        return (self.auth, self.queries, self.dbuploader)


def provide(app: Flask, provided: Services) -> None:
    """Let the views of `app` find these."""
    app.extensions[_NAME] = provided


def services() -> Services:
    """Those of the app that answers this request."""
    found: Services = current_app.extensions[_NAME]
    return found
