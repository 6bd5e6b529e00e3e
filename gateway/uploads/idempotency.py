"""Idempotency keys: one upload a key, however often and however concurrently it is sent.

As draft-ietf-httpapi-idempotency-key-header has it: the same key and request gives the first answer
again, the same key with another request 422, one still in flight 409.
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

# For so long a client is refused whose first try died with its gateway. Where a client only stalled
# and another call takes its claim, the store still accepts but one upload of the two.
CLAIM_SECONDS = 30.0
_LATER_OPTIONS = ("columns", "dates")


@contextmanager
def claimed(
    uploads: UploadStore, owner: str, key: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """Hold the key within the block; call what is given there again and again to keep it.

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
        # A claim that can't be ended runs out by itself.
        with suppress(StoreUnavailable):
            uploads.release_key(owner, key)


def fingerprint(table: str, filename: str, options: Options, content_sha256: str) -> str:
    """What makes two POSTs of uploads the same request, in hexadecimal digits."""
    asked = asdict(options)
    # An option that came later leaves requests without it as they were.
    for name in _LATER_OPTIONS:
        if asked[name] == getattr(Options, name):
            del asked[name]
    request = ["POST", "/v1/uploads", table, filename, asked, content_sha256]
    return sha256(json.dumps(request).encode()).hexdigest()
