"""Idempotency keys: one upload per key, however often and however concurrently it is sent.

Per draft-ietf-httpapi-idempotency-key-header, the same key and request gives the first answer
again, the same key with another request 422, and one still in flight 409.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256

from muster.contracts.uploads import Options
from muster.uploadstore import UploadStore
from muster.weather import StoreUnavailable

# How long a client is refused whose first try died with its gateway. Where a client only stalled,
# and another call takes over its claim, the store still accepts only one of the two uploads.
CLAIM_SECONDS = 30.0
_LATER_OPTIONS = ("columns", "dates", "expect_rows", "max_inserted", "max_updated")


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
    request = ["POST", "/v1/uploads", table, filename, asked, content_sha256]
    return sha256(json.dumps(request).encode()).hexdigest()
