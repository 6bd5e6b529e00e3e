"""Uploads whose file comes by several requests, each of which goes on where the last was cut.

By draft-ietf-httpbis-resumable-upload-12. What comes is kept in parts, files of the store of which
each is durable before it is counted; a document beside them says what was begun, and which parts
there are. With the last of them the whole is accepted as any other upload, once: by the idempotency
key that began it, or else its id. What isn't finished in a day is swept away (`sweep.py`).
"""

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256

from gateway.errors import (
    AppendInFlight,
    ClientGone,
    GatewayError,
    IdempotencyKeyReused,
    InconsistentLength,
    MismatchedDigest,
    NotCsv,
    OffsetMismatch,
    TooLarge,
)
from gateway.uploads.accept import Submission, Uploads
from gateway.uploads.admission import Admission
from gateway.uploads.begun import BegunUploads, Part, ResumableUpload
from gateway.uploads.idempotency import Acceptance, claimed
from gateway.uploads.request_body import FORM_TYPE, RequestBody
from muster.contracts.uploads import now
from muster.filestore import FileStore, FileWriter
from muster.http.client import ClientTooSlow
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields
from muster.stores import Stores
from muster.uploadstore import KeyTaken, UploadNotFound

_PART_BYTES = 8 * 1024**2
_CHUNK = 64 * 1024
# What can't be loaded is no better when it is sent again.
_FOR_GOOD = frozenset({413, 415, 422})


class ResumableUploads:
    """Takes files in parts."""

    def __init__(
        self,
        stores: Stores,
        uploads: Uploads,
        admission: Admission,
        begun: BegunUploads,
        limit: int,
        part_bytes: int = _PART_BYTES,
    ) -> None:
        self._files, self._records = stores.files, stores.uploads
        self._uploads = uploads
        self._admission = admission
        self._begun = begun
        self._limit = limit
        self._part_bytes = part_bytes

    def begin(self, submission: Submission, length: int) -> tuple[ResumableUpload, bool]:
        """Begin an upload whose body has `length` bytes, and keep what of it comes already.

        The same request with the same idempotency key begins it once: also returned is whether one
        did before. Raises TooLarge, what `Submission.open` and `Admission.take_place` raise,
        IdempotencyKeyInFlight, IdempotencyKeyReused, what `append` raises, and StoreUnavailable.
        """
        if length > self._limit:
            raise TooLarge(self._limit)
        if submission.body.media_type == FORM_TYPE:
            raise NotCsv("A form can't be sent in parts: send the file itself as the body.")
        owner = submission.owner
        _, filename, table = submission.open()
        begun = ResumableUpload(
            id=_id_of(owner, submission.key),
            owner=owner.id,
            filename=filename or f"{table}.csv",
            table=table,
            options=submission.options,
            key=submission.key,
            previous=submission.previous,
            media_type=submission.body.media_type,
            coding=submission.body.coding,
            length=length,
            begun_at=now(),
        )
        bind_log_fields(resumable_id=begun.id)
        with self._appending(begun.id) as renew:
            with suppress(UploadNotFound):
                before = self.find(owner, begun.id)
                if not before.is_request(begun):
                    raise IdempotencyKeyReused
                return before, True
            self._count(begun)
            self._begun.save(begun)
            _check_length(begun, submission.body, is_last=False)
            try:
                return self._receive(begun, submission.body, renew), False
            except MismatchedDigest:
                self._begun.remove(begun)
                raise

    def find(self, owner: Principal, resumable_id: str) -> ResumableUpload:
        """What has come of an upload. Raises UploadNotFound, also for one that is another's."""
        begun = self._begun.find(resumable_id)
        if begun is None or begun.owner != owner.id:
            raise UploadNotFound(resumable_id)
        return begun

    def append(
        self, owner: Principal, resumable_id: str, offset: int, body: RequestBody, *, is_last: bool
    ) -> ResumableUpload | Acceptance:
        """Keep what comes from `offset` on; returns the upload as accepted once all is there.

        What has come when the body breaks off is kept, unless it has a digest, which can't be
        checked then. Raises UploadNotFound, AppendInFlight, OffsetMismatch, InconsistentLength,
        ClientGone, ClientTooSlow, MismatchedDigest and StoreUnavailable; with the last part what
        `Uploads.accept` raises.
        """
        bind_log_fields(resumable_id=resumable_id)
        self.find(owner, resumable_id)
        with self._appending(resumable_id) as renew:
            begun = self.find(owner, resumable_id)
            if begun.upload is not None and is_last:
                return Acceptance(self._records.get(begun.upload).as_accepted(), is_replay=True)
            if offset != begun.offset or begun.upload is not None:
                raise OffsetMismatch(begun.offset, is_complete=begun.upload is not None)
            _check_length(begun, body, is_last=is_last)
            begun = self._receive(begun, body, renew)
            return self._complete(begun, owner, renew) if is_last else begun

    def discard(self, owner: Principal, resumable_id: str) -> None:
        """Give an upload up, with all that has come. Raises UploadNotFound and AppendInFlight."""
        self.find(owner, resumable_id)
        with self._appending(resumable_id):
            self._begun.remove(self.find(owner, resumable_id))

    def _count(self, begun: ResumableUpload) -> None:
        """See whether the user may send so much, and count it from now on."""
        with self._appending(f"uploads of {begun.owner}"):
            self._admission.take_place(begun.owner, begun.key, begun.length).leave()
            self._begun.add_to_user(begun.owner, begun.id)

    @contextmanager
    def _appending(self, resumable_id: str) -> Iterator[Callable[[], None]]:
        """One request at a time works on an upload; the block is given what keeps it so."""
        try:
            with claimed(self._records, resumable_id, "content") as renew:
                yield renew
        except KeyTaken as taken:
            raise AppendInFlight from taken

    def _receive(
        self, begun: ResumableUpload, body: RequestBody, renew: Callable[[], None]
    ) -> ResumableUpload:
        """Keep what comes; what has a digest, all of it once it is checked, and else nothing."""
        incoming, before = _Incoming(body, begun.length - begun.offset, renew), begun
        while incoming.has_more():
            name = f"{begun.id}.resumable.{secrets.token_hex(8)}"
            with self._files.write(name) as writer:
                size = incoming.pass_on(writer, self._part_bytes)
            begun = replace(begun, parts=(*begun.parts, Part(name, size)))
            if body.digest is None:
                self._begun.save(begun)
        if body.digest is not None:
            self._keep_if_whole(incoming, before, begun)
        incoming.raise_if_broken()
        return begun

    def _keep_if_whole(
        self, incoming: "_Incoming", before: ResumableUpload, begun: ResumableUpload
    ) -> None:
        if not incoming.is_broken:
            self._begun.save(begun)
            return
        for part in begun.parts[len(before.parts) :]:
            self._files.delete(part.name)

    def _complete(
        self, begun: ResumableUpload, owner: Principal, renew: Callable[[], None]
    ) -> Acceptance:
        if begun.offset != begun.length:
            raise ClientGone(f"The body ended at byte {begun.offset:,} of {begun.length:,}.")
        try:
            accepted = self._uploads.accept(self._whole(begun, owner, renew))
        except GatewayError as error:
            if error.status in _FOR_GOOD:
                self._begun.remove(begun)
            raise
        self._begun.save(replace(begun, parts=(), upload=accepted.upload.id))
        for part in begun.parts:
            self._files.delete(part.name)
        return accepted

    def _whole(
        self, begun: ResumableUpload, owner: Principal, renew: Callable[[], None]
    ) -> Submission:
        body = RequestBody(
            stream=_Joined(self._files, begun.parts, renew),
            media_type=begun.media_type,
            parameters={},
            coding=begun.coding,
            length=begun.length,
            limit=self._limit,
        )
        return Submission(
            owner,
            body,
            begun.options,
            table=begun.table,
            filename=begun.filename,
            key=begun.key or begun.id,
            previous=begun.previous,
            counted=begun.length if begun.begun_at.date() == now().date() else 0,
        )


class _Incoming:
    """The body of a request, of which what has come is passed on though it breaks off."""

    def __init__(self, body: RequestBody, most: int, renew: Callable[[], None]) -> None:
        self._chunks = body.chunks()
        self._left = most
        self._renew = renew
        self._chunk = b""
        self._broken: GatewayError | ClientTooSlow | None = None

    def has_more(self) -> bool:
        """Whether a chunk is there to be passed on; waits for it."""
        if not self._chunk:
            try:
                self._chunk = next(self._chunks, b"")
            except (ClientGone, ClientTooSlow, MismatchedDigest) as error:
                self._broken = error
            if len(self._chunk) > self._left:
                self._chunk, self._broken = self._chunk[: self._left], InconsistentLength()
        return bool(self._chunk)

    def pass_on(self, writer: FileWriter, most: int) -> int:
        """Write until there is no more, or at least `most` bytes are written; returns how many."""
        written = 0
        while written < most and self.has_more():
            writer.write(self._chunk)
            written += len(self._chunk)
            self._left -= len(self._chunk)
            self._chunk = b""
            self._renew()
            if self._broken is not None:
                break
        return written

    @property
    def is_broken(self) -> bool:
        """Whether the body broke off, or is not the one that was meant."""
        return self._broken is not None

    def raise_if_broken(self) -> None:
        """Raise what broke the body off, if anything did."""
        if self._broken is not None:
            raise self._broken


class _Joined:
    """The parts of a file, read one after the other."""

    def __init__(
        self, files: FileStore, parts: tuple[Part, ...], renew: Callable[[], None]
    ) -> None:
        self._chunks = _chunks_of(files, parts, renew)
        self._chunk = b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        self._chunk = self._chunk or next(self._chunks, b"")
        data, self._chunk = self._chunk[:size], self._chunk[size:]
        return data


def _chunks_of(
    files: FileStore, parts: tuple[Part, ...], renew: Callable[[], None]
) -> Iterator[bytes]:
    for part in parts:
        with files.open(part.name) as file:
            while chunk := file.read(_CHUNK):
                renew()
                yield chunk


def _id_of(owner: Principal, key: str | None) -> str:
    """The id of what the user begins, the same for the same key."""
    if key is None:
        return uuid.uuid4().hex
    return sha256(f"{owner.id}\n{key}".encode()).hexdigest()[:32]


def _check_length(begun: ResumableUpload, body: RequestBody, *, is_last: bool) -> None:
    if body.length is None:
        return
    end = begun.offset + body.length
    if end > begun.length or (is_last and end != begun.length):
        raise InconsistentLength
