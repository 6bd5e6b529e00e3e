"""Idempotency keys: one upload per key, however often and however concurrently it is sent.

Per draft-ietf-httpapi-idempotency-key-header, the same key and request gives the first answer
again, the same key with another request 422, and one still in flight 409.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256

from gateway.errors import IdempotencyKeyInFlight, IdempotencyKeyReused
from muster.contracts.uploads import Options, Upload
from muster.observability.tracing import bind_log_fields
from muster.uploadstore import KeyTaken, UploadStore
from muster.weather import StoreUnavailable

# How long a client is refused whose first try died with its gateway. Where a client only stalled,
# and another call takes over its claim, the store still accepts only one of the two uploads.
CLAIM_SECONDS = 30.0
_LATER_OPTIONS = ("columns", "dates", "expect_rows", "max_inserted", "max_updated", "sheet")


@dataclass(frozen=True)
class Acceptance:
    """An upload as it was accepted; `is_replay` if an earlier request with the key brought it."""

    upload: Upload
    is_replay: bool = False


def accepted_once(
    uploads: UploadStore,
    owner: str,
    key: str | None,
    accept: Callable[[Callable[[], None]], Acceptance],
    digest: Callable[[], str | None],
) -> Acceptance:
    """What `accept` returns, or the upload that the same request made with the key before.

    `accept` is given a function that keeps the key, to call again and again while it works; if it
    is not needed, `digest` says which request this is. Raises IdempotencyKeyInFlight,
    IdempotencyKeyReused, and what both raise.
    """
    if key is None:
        return accept(lambda: None)
    try:
        with claimed(uploads, owner, key) as renew:
            return accept(renew)
    except KeyTaken as taken:
        if taken.upload is None:
            raise IdempotencyKeyInFlight from taken
        return same_request(taken.upload, digest())


def same_request(first: Upload | None, digest: str | None) -> Acceptance:
    """The first upload with the key, as it was accepted; raises IdempotencyKeyReused."""
    if first is None or first.fingerprint != digest:
        raise IdempotencyKeyReused
    bind_log_fields(upload_id=first.id)
    return Acceptance(first.as_accepted(), is_replay=True)


@contextmanager
def claimed(
    uploads: UploadStore, owner: str, key: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """Hold the key within the block, which calls the function it is given, to keep the key.

    Raises KeyTaken. Afterwards the key is free again unless an upload was accepted with it.
    """
    uploads.claim_key(owner, key, CLAIM_SECONDS)
    held_at = clock()

    def renew() -> None:
        nonlocal held_at
        if clock() - held_at > CLAIM_SECONDS / 4:
            uploads.renew_key(owner, key, CLAIM_SECONDS)
            held_at = clock()

    try:
        yield renew
    finally:
        # A claim that can't be released expires by itself.
        with suppress(StoreUnavailable):
            uploads.release_key(owner, key)


def fingerprint(table: str, filename: str, options: Options, content_sha256: str) -> str:
    """A hash, in hexadecimal digits, that two POSTs have in common if they are the same request."""
    asked = asdict(options)
    # An option added later leaves the fingerprints of requests without it as they were.
    for name in _LATER_OPTIONS:
        if asked[name] == getattr(Options, name):
            del asked[name]
    return _hash_of("/v1/uploads", table, filename, asked, content_sha256)


def undo_fingerprint(upload_id: str, options: Options) -> str:
    """As `fingerprint`, of a request to undo that upload."""
    return _hash_of(f"/v1/uploads/{upload_id}/undo", options.mode, options.dry_run)


def load_fingerprint(upload_id: str) -> str:
    """As `fingerprint`, of a request to load what that dry run checked."""
    return _hash_of(f"/v1/uploads/{upload_id}/load")


def _hash_of(*request: object) -> str:
    return sha256(json.dumps(["POST", *request]).encode()).hexdigest()
