"""Upload records and files for the CSV store's tests."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from muster.contracts.uploads import Upload


def an_upload(**fields: Any) -> Upload:
    """A record just accepted, with `fields` of its own."""
    usual: dict[str, Any] = {
        "id": "u-1",
        "table": "jobs",
        "filename": "jobs.csv",
        "size": 12,
        "sha256": "0" * 64,
        "owner": "user-1",
        "submitted_by": "ana@example.com",
        "submitted_at": datetime(2026, 1, 31, 12, 30, 45, 123456, UTC),
        "request_id": "r-1",
        "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    }
    return Upload(**usual | fields)


def content_of(number: int) -> Iterator[bytes]:
    """The parts of a file of up to 320 kB, always the same for the same number."""
    generator = random.Random(number)
    for _ in range(generator.randrange(1, 6)):
        yield generator.randbytes(65536)
