"""From the body of a request to the bytes that are kept: inflated, looked at, measured, hashed."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from prometheus_client import Counter

from gateway.uploads.file_type import only_csv
from gateway.uploads.gzip import inflated
from gateway.uploads.request_body import Part, limited

BYTES = Counter("muster_upload_bytes_total", "Bytes of uploaded files received, after inflating.")


@dataclass(frozen=True)
class Received:
    """The inflated file's size in bytes, and its hash in hexadecimal digits."""

    size: int
    sha256: str


def receive(part: Part, filename: str, limit: int, write: Callable[[bytes], object]) -> Received:
    """Hand the file in `part` to `write`, a piece at a time.

    It is gzip if it was declared so or its name ends in `.gz`; no more than `limit` bytes come out.
    Raises what reading the part raises, NotCsv, TooLarge and BadGzip.
    """
    gzipped = part.gzipped or filename.lower().endswith(".gz")
    size, digest = 0, sha256()
    for chunk in only_csv(limited(inflated(part.chunks) if gzipped else part.chunks, limit)):
        size += len(chunk)
        digest.update(chunk)
        BYTES.inc(len(chunk))
        write(chunk)
    return Received(size, digest.hexdigest())
