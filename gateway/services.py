"""What the views call: made once in `app.py`, the same for every request."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

from gateway.proxy.coalesce import RequestCoalescer
from gateway.proxy.upstream import Upstream, UpstreamResponse
from gateway.settings import Settings
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.admission import Admission
from gateway.uploads.begun import BegunUploads
from gateway.uploads.erase import RowErasures
from gateway.uploads.follow import UploadFollower, event_at_shutdown
from gateway.uploads.load import DryRunLoads
from gateway.uploads.outbox import Outbox
from gateway.uploads.preview import Previews
from gateway.uploads.queue import UploadQueue
from gateway.uploads.resumable import ResumableUploads
from gateway.uploads.undo import Undos
from muster.broker import Broker
from muster.http.service import provided
from muster.http.tokens import Tokens
from muster.stores import Stores
from muster.uploadstore import UploadStore
from muster.uploadstore.marks import LateMarks


@dataclass(frozen=True)
class Limits:
    """The maximum sizes of bodies, in bytes; all others have the server's limit."""

    upload_bytes: int
    preview_bytes: int
    batch_bytes: int
    corrections_bytes: int


@dataclass(frozen=True)
class Services:
    """The gateway's rules, and the services behind it."""

    records: UploadStore
    uploads: Uploads
    previews: Previews
    resumable: ResumableUploads
    undos: Undos
    loads: DryRunLoads
    access: UploadAccess
    erasures: RowErasures
    follower: UploadFollower
    queue: UploadQueue
    auth: Upstream
    queries: Upstream
    dbuploader: Upstream
    notification: Upstream
    coalescer: RequestCoalescer[UpstreamResponse]
    tokens: Tokens
    limits: Limits
    marks: LateMarks

    @classmethod
    def over(cls, settings: Settings, stores: Stores, broker: Broker, tokens: Tokens) -> "Services":
        """All of them over these adapters; connects to nothing yet."""
        threads, waiters = settings.threads, settings.waiters
        begun = BegunUploads(stores.files)
        admission = Admission(
            stores.uploads,
            settings.uploads_per_user,
            settings.max_queued_seconds,
            settings.bytes_per_user_a_day,
            begun,
        )
        dbuploader = Upstream("dbuploader", settings.dbuploader_url, threads)
        marks = LateMarks(stores.uploads, "published")
        outbox = Outbox(stores.uploads, broker, marks)
        uploads = Uploads(stores, outbox, admission, settings.expectations)
        access = UploadAccess(stores)
        return cls(
            records=stores.uploads,
            uploads=uploads,
            previews=Previews(dbuploader),
            resumable=ResumableUploads(
                stores, uploads, admission, begun, settings.max_upload_bytes
            ),
            undos=Undos(stores.uploads, uploads, access, admission, settings.undo_days),
            loads=DryRunLoads(stores, uploads, access, admission),
            access=access,
            erasures=RowErasures(stores.uploads, uploads, admission, dbuploader),
            follower=UploadFollower(
                stores.uploads, waiters, settings.max_waiters_per_user, event_at_shutdown()
            ),
            queue=UploadQueue(stores.uploads),
            auth=Upstream("auth", settings.auth_url, threads),
            queries=Upstream("queries", settings.queries_url, threads),
            dbuploader=dbuploader,
            notification=Upstream("notification", settings.notification_url, threads),
            coalescer=RequestCoalescer(lambda answer: answer.is_shareable),
            tokens=tokens,
            limits=Limits(
                upload_bytes=settings.max_upload_bytes,
                preview_bytes=settings.max_preview_bytes,
                batch_bytes=settings.max_batch_bytes,
                corrections_bytes=settings.max_corrections_bytes,
            ),
            marks=marks,
        )

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """The services behind."""
        return (self.auth, self.queries, self.dbuploader, self.notification)


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
